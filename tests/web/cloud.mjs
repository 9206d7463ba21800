// A real `gyre up` on a state folder of its own, and the command line that talks to it.
import assert from 'node:assert/strict';
import {execFile, spawn} from 'node:child_process';
import {mkdtempSync, renameSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {createInterface} from 'node:readline';
import {promisify} from 'node:util';

const PROGRAM = process.env.GYRE_BIN ?? new URL('../../build/gyre', import.meta.url).pathname;
const run = promisify(execFile);
const PATIENCE_MS = 120_000; // only a failure takes that long

function ended(process, signal) {
  const gone = new Promise((resolve) => process.once('exit', resolve));
  process.kill(signal);
  return gone;
}

export class Cloud {
  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'gyre-web-'));
    this.environment = {...process.env, GYRE_STATE: join(this.folder, 'state'), NO_COLOR: '1'};
    delete this.environment.GYRE_SERVER;
    this.port = 0;
    this.agents = [];
    this.gpus = ['--virtual-gpus', '4xH100:80GB'];
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts the server, on the port it had before. */
  async up(...options) {
    this.process = spawn(PROGRAM, ['up', '--listen', String(this.port), ...this.gpus, ...options],
      {env: this.environment, stdio: ['ignore', 'ignore', 'pipe']});
    const said = [];
    for await (const line of createInterface({input: this.process.stderr})) {
      said.push(line);
      const found = / on http:\/\/[^:]+:(\d+)/.exec(line);
      if (found) this.port = Number(found[1]);
      this.agentsPort = /agents come in at .*:(\d+)/.exec(line)?.[1] ?? this.agentsPort;
      if (line.includes('Ctrl-C')) break;
    }
    if (!this.port || !said.at(-1)?.includes('Ctrl-C')) throw new Error(`no server: ${said.join('\n')}`);
    this.process.stderr.resume();
    return this;
  }

  /** Ends the server; its tasks go on. */
  async down(signal = 'SIGTERM') {
    if (!this.process) return;
    await ended(this.process, signal);
    this.process = undefined;
  }

  /** The path of a file with that text. */
  write(name, text) {
    const path = join(this.folder, name);
    writeFileSync(path, text);
    return path;
  }

  /** The next server finds two GPUs that a stand-in for the driver makes up, as the lines say, and when it is called again
   *  from then on (tests/live/nvml_stand_in.cc). */
  makeUpGpus(lines) {
    const device = (n) => `device GPU-0000-aa0${n} 81920 9.0 00000000:1${n}:00.0 NVIDIA H100 80GB HBM3`;
    this.environment.NVML_STAND_IN = join(this.folder, 'gpus.txt');
    renameSync(this.write('gpus.new', [device(1), device(2), ...lines, ''].join('\n')), this.environment.NVML_STAND_IN);
    this.environment.LD_LIBRARY_PATH = join(dirname(PROGRAM), 'nvml');
    this.gpus = [];
  }

  /** A node of its own, once it is up; of a server that was started with `--agents`. */
  async agent(name, gpus, ...options) {
    const token = await this.cli('node', 'join-token');
    this.agents.push(spawn(PROGRAM, ['agent', '--server', `127.0.0.1:${this.agentsPort}`, '--state', join(this.folder, name),
      '--name', name, '--virtual-gpus', gpus, '--share', '4', ...options],
    {env: {...this.environment, GYRE_JOIN_TOKEN: token}, stdio: 'ignore'}));
    await this.until(async () => (await this.get(`/v1/nodes?name=${name}`)).nodes[0]?.state === 'up', `node ${name} comes in`);
  }

  async cli(...args) {
    const {stdout} = await run(PROGRAM, args, {env: this.environment, cwd: this.folder});
    return stdout.trim();
  }

  /** The id of a job that is left to itself. */
  async run(...args) {
    return Number(await this.cli('run', '--detach', ...args));
  }

  async get(path) {
    return (await fetch(this.url + path)).json();
  }

  /** Posts JSON, and fails where that is refused. */
  async post(path, body) {
    const answer = await fetch(this.url + path, {
      method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  }

  async submit(spec) {
    return (await this.post('/v1/jobs', spec)).id;
  }

  /** Applies a service whose replicas have one page, /ready, and are ready by it; another where `MARK` in `env` names it. */
  async apply({wait = true, ...spec}) {
    const command = 'touch "${MARK:-ready}"; exec python3 -m http.server "$PORT" --bind "$GYRE_HOST"';
    const probes = {readiness: {http: '/ready', period: '100ms'}};
    const file = this.write(`${spec.name}.json`, JSON.stringify({kind: 'service', command, probes, ...spec}));
    await this.cli('service', 'apply', ...(wait ? ['--wait'] : []), file);
  }

  async wait(id, ...states) {
    return this.until(async () => {
      const job = await this.get(`/v1/jobs/${id}`);
      return states.includes(job.state) && job;
    }, `job ${id} is ${states.join(' or ')}`);
  }

  /** What `look` gives once that is something. */
  async until(look, what) {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const seen = await look();
      if (seen) return seen;
      assert.ok(Date.now() < end, `it never was so: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Stops all jobs and the server, and leaves nothing behind. */
  async close() {
    if (this.process) {
      for (const {name, deleted} of (await this.get('/v1/services')).services) if (!deleted) await this.cli('service', 'delete', name);
      const {jobs} = await this.get('/v1/jobs?state=queued,starting,running,preempting,stopping&limit=1000');
      for (const job of jobs) await this.cli('stop', String(job.id)).catch(() => undefined);
      for (const job of jobs) await this.wait(job.id, 'succeeded', 'failed', 'cancelled');
      for (const agent of this.agents) await ended(agent, 'SIGTERM');
      await this.down();
      assert.match(await this.cli('replay', join(this.folder, 'state', 'journal.sqlite')), /came out the same/);
    }
    rmSync(this.folder, {recursive: true, force: true});
  }
}

/** A real `gyre simulate --serve` over a trace that is given as text. */
export class Simulation {
  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'gyre-web-'));
  }

  async up(trace, nodes, ...options) {
    const file = join(this.folder, 'trace.csv');
    writeFileSync(file, trace);
    this.process = spawn(PROGRAM, ['simulate', file, '--nodes', nodes, ...options, '--serve', '127.0.0.1:0'],
      {stdio: ['ignore', 'ignore', 'pipe']});
    const said = [];
    for await (const line of createInterface({input: this.process.stderr})) {
      said.push(line);
      const found = /on (http:\/\/\S+)/.exec(line);
      if (found) this.url = found[1];
      if (line.includes('Ctrl-C')) break;
    }
    if (!this.url) throw new Error(`no simulation: ${said.join('\n')}`);
    this.process.stderr.resume();
    return this;
  }

  async get(path) {
    return (await fetch(this.url + path)).json();
  }

  async close() {
    await ended(this.process, 'SIGTERM');
    rmSync(this.folder, {recursive: true, force: true});
  }
}
