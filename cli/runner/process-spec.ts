/** All that is needed to run one program of the mesh, and to tell when it is up. */
export type ProcessSpec = {
  /** Unique in a mesh: `postgres`, `task-1`. Also the name of its log file. */
  name: string;
  command: string;
  args: readonly string[];
  /** The whole environment of the program, except PATH, HOME, TMPDIR, LANG and TZ, which it inherits. */
  env: Readonly<Record<string, string>>;
  cwd?: string;
  /** Whether others go before it when there is more to do than processors can. */
  background?: boolean;
  /** The account to run it as, when it may not run as ours. */
  account?: Account;
  logFile: string;
  stopSignal: NodeJS.Signals;
  /** Milliseconds between the stop signal and SIGKILL. */
  stopGrace: number;
  /** Milliseconds that the program may take until it is ready. */
  startTimeout: number;
  /** Runs before every start: repairs what an unclean end left behind. */
  beforeStart?: () => Promise<void>;
  /** True once the program answers. Must not throw, must end within two seconds. */
  probe: () => Promise<boolean>;
};

export type Account = { name: string; uid: number; gid: number };

/** A program that was started and answers. */
export type RunningPart = {
  /** What clients connect to, e.g. `redis://127.0.0.1:6379`. */
  address: string;
  pid: number;
  stop(): Promise<void>;
};
