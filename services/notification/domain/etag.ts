/** Opaque to clients. All that ever changes of an entry is that it is read. */
export function etagOf(entry: { notificationId: string; readTime?: Date | null | undefined }): string {
  return `${entry.readTime ? "read" : "new"}-${entry.notificationId.slice(-8)}`;
}
