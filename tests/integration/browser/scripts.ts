// What pages of others do, as texts: they run in the browser.

/** Sends a form of a page, whose one field makes JSON when it is sent as text/plain. */
export function submitForm(action: string, enctype: string): string {
  return `(() => {
    const form = Object.assign(document.createElement("form"), { method: "post", action: "${action}", enctype: "${enctype}" });
    form.append(Object.assign(document.createElement("input"), { name: '{"title":"', value: '"}' }));
    document.documentElement.append(form);
    form.submit();
  })()`;
}

/** Loads an address as an image, a script and a style sheet; answers with what became of each. */
export function embed(url: string): string {
  return `Promise.all(["img", "script", "link"].map((tag) => new Promise((resolve) => {
    const element = document.createElement(tag);
    element.addEventListener("load", () => resolve("loaded"));
    element.addEventListener("error", () => resolve("refused"));
    Object.assign(element, tag === "link" ? { rel: "stylesheet", href: "${url}" } : { src: "${url}" });
    document.documentElement.append(element);
  })))`;
}

/** Shows an address in a frame. */
export function frame(url: string): string {
  return `void document.documentElement.append(Object.assign(document.createElement("iframe"), { src: "${url}" }))`;
}

/** Puts a script and an event handler into the page's text, as an injection would; answers whether one of them ran. */
export const slipIn = `(async () => {
  const violated = new Promise((resolve) => document.addEventListener("securitypolicyviolation", resolve, { once: true }));
  document.documentElement.append(Object.assign(document.createElement("script"), { textContent: "window.slippedIn = true" }));
  const image = document.createElement("img");
  image.setAttribute("onerror", "window.slippedIn = true");
  image.src = "data:,";
  document.documentElement.append(image);
  await violated;
  return "slippedIn" in window;
})()`;
