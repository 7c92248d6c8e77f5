/**
 * Headers of every answer of the edge, whoever makes it. The API serves data to programs: nothing in it may be run,
 * framed, sniffed, or kept in a cache. A page that needs more says so itself.
 */
export const securityHeaders = {
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  // For browsers that know no frame-ancestors.
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "permissions-policy":
    "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=(), display-capture=()",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "same-origin",
  // Answers are a person's own; a route that may be kept says so itself.
  "cache-control": "no-store",
} as const;
