/** Tells the bench where a peer listens: one line on stdout. */
export function announce(address: string): void {
  process.stdout.write(`listening ${address}\n`);
}
