/** Passwords that every guessing list begins with, and the name of this system; folded, all of at least 8 characters. */
export const commonPasswords: ReadonlySet<string> = new Set(
  `
  00000000 000000000 0000000000 01234567 0123456789 0987654321 11111111 111111111 1111111111 11223344 1122334455
  112233445566 12121212 123123123 123123123123 12341234 1234512345 12345678 123456789 1234567890 12345678910 123456789a
  123456789q 12345678a 12345678q 1234qwer 12344321 123321123 123454321 123456123456 12qwaszx 13131313 147258369 159357159
  18436572 1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx 1qaz2wsx3edc 1qazxsw2 20202020 21212121 22222222 23232323 33333333
  44444444 55555555 66666666 69696969 77777777 87654321 88888888 888888888 98765432 987654321 9876543210 99999999
  999999999 a1234567 a12345678 a123456789 aa123456 aa12345678 aaaaaaaa aaaaaaaaaa abc12345 abc123456 abc123abc abcd1234
  abcdefgh abcdefghi administrator admin123 admin1234 admin12345 admin123456 administrador alexander asdasdasd asdf1234
  asdfasdf asdfghjk asdfghjkl asdfjkl; azertyui azertyuiop babygirl1 baseball baseball1 basketball benjamin blink182
  butterfly caroline changeme changeme123 charlie1 chocolate christian christopher computer computer1 corvette cristina
  danielle dragon123 einstein elephant elizabeth facebook ferrari1 football football1 freedom1 fuckyou1 gfhjkmgfhjkm
  godzilla hello123 hellohello iloveyou iloveyou1 iloveyou2 infinity internet jennifer jonathan jordan23 juventus
  letmein1 letmein123 liverpool liverpool1 lovelove mercedes metallica michael1 michelle midnight minecraft monkey123
  myspace1 nicholas nothing1 password password! password1 password1! password12 password123 password1234 password12345
  passw0rd p@ssw0rd p@ssword p4ssw0rd passwort passwort1 patricia pokemon1 princess princess1 qazwsxedc qazwsxedcrfv
  q1w2e3r4 q1w2e3r4t5 qqqqqqqq qwer1234 qwerasdf qwerqwer qwerty11 qwerty12 qwerty123 qwerty1234 qwerty12345 qwerty123456
  qwertyui qwertyuiop qwertz123 qwertzui samantha secret123 slipknot snowball spiderman spongebob starwars starwars1
  steelers stephanie sunshine sunshine1 superman superman1 swordfish taskmesh taskmesh1 taskmesh123 test1234 test12345
  testtest trustno1 valentina veronica victoria warcraft welcome1 welcome123 whatever william1 winston1 xxxxxxxx yankees1
  zaq12wsx zaq1zaq1 zxcvbnm1 zxcvbnm123 zzzzzzzz
  `
    .trim()
    .split(/\s+/),
);
