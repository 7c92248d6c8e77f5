export type CodingName = "zstd" | "br" | "gzip";

/** As a value of Accept-Encoding, for those who used another. */
export const acceptedCodings = "zstd, br, gzip";
