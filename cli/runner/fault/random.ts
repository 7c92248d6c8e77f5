/** Numbers from 0 up to 1 that follow from the seed alone, on every machine (a linear congruence with a mixed output). */
export function randomFrom(seed: number): () => number {
  let state = BigInt(seed);
  const mask = (1n << 64n) - 1n;
  return () => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & mask;
    const mixed = ((state >> 33n) ^ state) & 0xffff_ffffn;
    return Number(mixed) / 2 ** 32;
  };
}
