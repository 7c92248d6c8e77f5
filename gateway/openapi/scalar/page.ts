/** Scalar's own settings: nothing of it comes from elsewhere, and nothing of it goes there. */
const configuration = {
  url: "/openapi.json",
  withDefaultFonts: false,
  telemetry: false,
  hideClientButton: true,
  showDeveloperTools: "never",
  agent: { disabled: true },
  mcp: { disabled: true },
  persistAuth: false,
  defaultOpenFirstTag: true,
};

// Zod, which Scalar uses, would otherwise try whether it may compile code at run time, which the policy forbids; and some
// of the libraries in it make style sheets without the nonce that Scalar gives to its own.
const start = `globalThis.__zod_globalConfig = { jitless: true };
const { nonce } = document.currentScript;
const createElement = document.createElement;
document.createElement = function (name, options) {
  const element = createElement.call(this, name, options);
  if (String(name).toLowerCase() === "style") element.nonce = nonce;
  return element;
};
addEventListener("DOMContentLoaded", () => Scalar.createApiReference("#reference", ${JSON.stringify(configuration)}));`;

/** The page for people. The nonce is what the policy knows its scripts and styles by. */
export function docsPage(nonce: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta property="csp-nonce" content="${nonce}">
<title>Taskmesh API</title>
<link rel="icon" href="data:,">
<script nonce="${nonce}">${start}</script>
<script nonce="${nonce}" src="/docs/scalar.js" defer></script>
</head>
<body>
<noscript>This page needs JavaScript; the description itself is at <a href="/openapi.json">/openapi.json</a>.</noscript>
<div id="reference"></div>
</body>
</html>
`;
}

/**
 * Scripts and style sheets by nonce, calls to this server only. Scalar sets style attributes in what it renders, for
 * which there is no nonce; an attribute cannot load or run anything here.
 */
export function pagePolicy(nonce: string): string {
  return [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src 'nonce-${nonce}'`,
    "style-src-attr 'unsafe-inline'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}
