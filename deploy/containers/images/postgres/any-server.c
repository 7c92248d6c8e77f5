/* Debian's pg_basebackup copies from servers up to its own release, though the protocol has not changed since. It is told
   that every server is of that release. */
typedef struct pg_conn PGconn;

int PQserverVersion(const PGconn *connection) {
  (void)connection;
  return 150000;
}
