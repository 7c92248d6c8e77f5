// One mesh for two bugs that do not meet.
import "./without-inbox.ts";
import "./needs-redis.ts";
