// A real `gyre up` on a state folder of its own, and the command line that talks to it.
import {execFile, spawn} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {promisify} from 'node:util';

const PROGRAM = process.env.GYRE_BIN ?? new URL('../../build/gyre', import.meta.url).pathname;
const run = promisify(execFile);

export class Cloud {
  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'gyre-web-'));
    this.environment = {...process.env, GYRE_STATE: join(this.folder, 'state'), NO_COLOR: '1'};
    delete this.environment.GYRE_SERVER;
    this.port = 0;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts the server, on the port it had before. */
  async up(...options) {
    this.process = spawn(PROGRAM, ['up', '--listen', String(this.port), '--virtual-gpus', '4xH100:80GB', ...options],
      {env: this.environment, stdio: ['ignore', 'ignore', 'pipe']});
    const said = [];
    for await (const line of createInterface({input: this.process.stderr})) {
      said.push(line);
      const found = / on http:\/\/[^:]+:(\d+)/.exec(line);
      if (found) this.port = Number(found[1]);
      if (line.includes('Ctrl-C')) break;
    }
    if (!this.port || !said.at(-1)?.includes('Ctrl-C')) throw new Error(`no server: ${said.join('\n')}`);
    this.process.stderr.resume();
    return this;
  }

  /** Ends the server; its tasks go on. */
  async down(signal = 'SIGTERM') {
    if (!this.process) return;
    const gone = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill(signal);
    await gone;
    this.process = undefined;
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

  async submit(spec) {
    const answer = await fetch(`${this.url}/v1/jobs`, {
      method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(spec),
    });
    if (!answer.ok) throw new Error(await answer.text());
    return (await answer.json()).id;
  }

  async wait(id, ...states) {
    for (;;) {
      const job = await this.get(`/v1/jobs/${id}`);
      if (states.includes(job.state)) return job;
      await this.get(`/v1/events?job=${id}`);
    }
  }

  /** Stops all jobs and the server, and leaves nothing behind. */
  async close() {
    if (this.process) {
      const {jobs} = await this.get('/v1/jobs?state=queued,starting,running,preempting,stopping&limit=1000');
      for (const job of jobs) await this.cli('stop', String(job.id)).catch(() => undefined);
      for (const job of jobs) await this.wait(job.id, 'succeeded', 'failed', 'cancelled');
      await this.down();
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
    const gone = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill('SIGTERM');
    await gone;
    rmSync(this.folder, {recursive: true, force: true});
  }
}
