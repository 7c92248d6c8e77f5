/**
 * The calls of `mesh load` for k6: `k6 run -e URL=http://127.0.0.1:8080 -e PHASES=300s@100,600s@200 tests/load/k6.js`.
 * An arrival rate, not a number of users in a loop: each call begins at its time. Traces of k6's own (xk6-otel) need no
 * change here.
 */
import { check, fail } from "k6";
import exec from "k6/execution";
import http from "k6/http";

const url = __ENV.URL || "http://127.0.0.1:8080";
const users = Number(__ENV.USERS || 50);
const readShare = Number(__ENV.READ || 90) / (Number(__ENV.READ || 90) + Number(__ENV.WRITE || 10));
const phases = (__ENV.PHASES || "30s@100").split(",").map((phase) => phase.split("@"));

const seconds = (time) => Number.parseFloat(time) * (time.endsWith("m") ? 60 : 1);
const starts = phases.map((_, index) => phases.slice(0, index).reduce((sum, [time]) => sum + seconds(time), 0));

export const options = {
  scenarios: Object.fromEntries(
    phases.map(([duration, rate], index) => [
      `phase_${index + 1}`,
      {
        executor: "constant-arrival-rate",
        exec: "request",
        rate: Number(rate),
        duration,
        startTime: `${starts[index]}s`,
        preAllocatedVUs: users,
        maxVUs: Number(rate),
      },
    ]),
  ),
  thresholds: { http_req_failed: ["rate<0.001"], http_req_duration: ["p(95)<200"], checks: ["rate==1"] },
};

/** Accounts, each with a task to begin with. */
export function setup() {
  const people = Array.from({ length: users }, (_, index) => {
    const name = `k6-${Date.now()}-${index}`;
    const account = {
      email: `${name}@example.com`,
      password: `${name}-${Math.random()}`,
      displayName: `Load ${index}`,
    };
    const { status, body } = http.post(`${url}/v1/auth/register`, JSON.stringify(account), json());
    if (status !== 200)
      fail(`register answered ${status}: start the mesh with RATE_LIMIT_SCALE=1000, or take fewer USERS`);
    const { accessToken, user } = JSON.parse(body);
    return { token: accessToken, userId: user.userId };
  });
  return people.map((person) => ({ ...person, taskId: create(person, person).taskId }));
}

/** One call of somebody, of the kind that the mix draws. */
export function request(people) {
  const place = exec.scenario.iterationInTest;
  const person = people[place % people.length];
  const other = people[(place + 1) % people.length];
  if (Math.random() < readShare) return Math.random() < 0.6 ? get(person) : list(person);
  const draw = Math.random();
  if (draw < 0.4) return create(person, other);
  if (draw < 0.6) return update(person);
  if (draw < 0.75) return comment(person);
  if (draw < 0.9) return complete(person, create(person, other).taskId);
  return share(person, other);
}

function get({ token, taskId }) {
  return right(http.get(`${url}/v1/tasks/${taskId}`, json(token)), "get", (task) => task.taskId === taskId);
}

function list({ token }) {
  return right(http.get(`${url}/v1/tasks?pageSize=20`, json(token)), "list", ({ tasks }) => tasks.length > 0);
}

function create({ token }, { userId }) {
  const title = `Load ${Math.random()}`;
  const answer = http.post(`${url}/v1/tasks`, JSON.stringify({ title, assigneeIds: [userId] }), json(token));
  return right(answer, "create", (task) => task.title === title);
}

function update({ token, taskId }) {
  const title = `Load ${Math.random()}`;
  const answer = http.patch(`${url}/v1/tasks/${taskId}`, JSON.stringify({ title }), json(token));
  return right(answer, "update", (task) => task.title === title);
}

function comment({ token, taskId }) {
  const text = `Remark ${Math.random()}`;
  const answer = http.post(`${url}/v1/tasks/${taskId}/comments`, JSON.stringify({ text }), json(token));
  return right(answer, "comment", (made) => made.text === text);
}

function complete({ token }, taskId) {
  const answer = http.post(`${url}/v1/tasks/${taskId}:complete`, "{}", json(token));
  return right(answer, "complete", ({ task }) => task.status === "STATUS_DONE");
}

function share({ token, taskId }, { userId }) {
  const body = JSON.stringify({ userId, role: "ROLE_COMMENTER" });
  const answer = http.post(`${url}/v1/tasks/${taskId}:share`, body, json(token));
  return right(answer, "share", ({ collaborator }) => collaborator.userId === userId);
}

/** The body of an answer, which is looked at. */
function right(answer, name, isRight) {
  const body = answer.status === 200 ? JSON.parse(answer.body) : {};
  check(answer, { [`${name} is right`]: () => answer.status === 200 && isRight(body) });
  return body;
}

function json(token) {
  const headers = { "content-type": "application/json" };
  return { headers: token ? { ...headers, authorization: `Bearer ${token}` } : headers };
}
