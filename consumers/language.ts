export const languages = ["en", "de"] as const;
export type Language = (typeof languages)[number];

/** The language that texts for a BCP 47 tag are written in: its primary language where there are texts, else English. */
export function languageOf(locale: string): Language {
  const primary = locale.toLowerCase().split("-")[0];
  return languages.find((language) => language === primary) ?? "en";
}
