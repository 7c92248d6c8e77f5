import { migrate, sqlMigration } from "#kit/db/migrate.ts";

// One of several processes that start at the same moment. The first migration fails when it runs twice.
const [url = ""] = process.argv.slice(2);
const ran = await migrate({ connectionString: url, application_name: "migrate-test" }, [
  sqlMigration("Migration20261121000010_first", ["CREATE TABLE first (id int)", "SELECT pg_sleep(0.3)"], []),
  sqlMigration("Migration20261121000011_second", ["INSERT INTO first VALUES (1)"], []),
]);
process.stdout.write(JSON.stringify(ran));
