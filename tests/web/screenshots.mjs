// Takes the pictures of docs/guide/dashboard.md: `node tests/web/screenshots.mjs`, after `make build` and `npm ci` in web/.
import {mkdirSync} from 'node:fs';

import {openBrowser} from './browser.mjs';
import {Cloud} from './cloud.mjs';

const FOLDER = new URL('../../docs/guide/dashboard/', import.meta.url).pathname;
const SCREEN = {width: 1280, height: 860};
mkdirSync(FOLDER, {recursive: true});

const clouds = [];
const one = opened(); // a single machine, as anyone begins
const live = {};
const fleet = opened(); // tenants with quotas on five nodes, of which one is ill
try {
  await beginAlone();
  await beginFleet();
  await showServices();
  await showGpus(); // for two minutes, in which the others have some history, too
  await showAlone();
  await showFleet();
  await showLab();
} finally {
  for (const cloud of clouds) await cloud.close();
}

function opened() {
  clouds.push(new Cloud());
  return clouds.at(-1);
}

async function beginAlone() {
  await one.up();
  live.train = await one.run('--name', 'finetune-7b', '--gpu', '2', '--', 'sh', '-c',
    'i=0; while :; do i=$((i+1)); echo "step $i  loss $(awk "BEGIN{printf \\"%.4f\\", 2.3/(1+$i/40)}")"; sleep 0.05; done');
  await one.wait(live.train, 'running');
  await one.run('--name', 'notebook', '--gpu', '0.5', '--', 'sleep', '1000');
  live.waits = await one.run('--name', 'pretrain-70b', '--gpu', '4', '--priority', '9', '--', 'sleep', '1000');
  await one.wait(await one.run('--name', 'broken', '--', 'sh', '-c', 'echo "no such file: data.bin" >&2; exit 3'), 'failed');
  for (const size of [1, 1, 2]) await one.run('--name', `sweep-${size}`, '--gpu', String(size), '--', 'sleep', '1000');
  for (let i = 0; i < 5; ++i) await one.wait(await one.run('--name', `evaluate-${i}`, '--', 'true'), 'succeeded');
}

async function showAlone() {
  await shoot(one.url, [
    ['jobs', '/jobs', (page) => page.getByText('waiting for turn').first().waitFor()],
    ['job', `/jobs/${live.train}`, (page) => page.locator('.line', {hasText: 'loss'}).last().waitFor()],
    ['waiting', `/jobs/${live.waits}`, (page) => page.getByText('needs 4 GPUs').waitFor()],
    ['submit', '/submit', async (page) => {
      await page.getByLabel('Name').fill('train');
      await page.getByLabel('Command, run by /bin/sh').fill('python3 train.py --epochs 3');
      await page.getByLabel('GPUs of each task').fill('H100:80GB:1');
      await page.getByText('A plan is not a promise').waitFor();
    }],
    ['overview', '/', (page) => page.locator('.decision').first().waitFor()],
    ['terminal', `/jobs/${live.train}`, async (page) => {
      await page.getByRole('tab', {name: 'terminal'}).click();
      await page.getByRole('button', {name: 'Open a terminal'}).click();
      await page.getByTestId('shell-state').getByText('running').waitFor();
      await page.keyboard.type('echo $CUDA_VISIBLE_DEVICES');
      await page.keyboard.press('Enter');
      await page.locator('.xterm-rows > div', {hasText: /^0,1/}).first().waitFor();
    }],
  ]);
  await shoot(one.url, [['overview', '/', (page) => page.locator('.chart').first().waitFor()]], 'dark');
}

/** Services under load: one that is being updated, one that scales, one that waits for room, one at rest. */
async function showServices() {
  const served = opened();
  served.gpus = ['--virtual-gpus', '8xH100:80GB'];
  await served.up();
  const spec = {resources: {gpu: 1}, wait: false};
  await served.apply({...spec, name: 'chat-8b', replicas: 3, wait: true});
  await served.apply({...spec, name: 'embed', replicas: {min: 1, max: 2, target_in_flight: 8}, wait: true});
  await served.apply({...spec, name: 'whisper', replicas: {min: 0, max: 1, idle: '1s'}});
  await served.apply({...spec, name: 'chat-8b', replicas: 3, env: {MARK: 'not-yet'}});
  await served.apply({...spec, name: 'video', replicas: 2, resources: {gpu: 4}});
  const ask = async (name, path) => (await fetch((await served.get(`/v1/services/${name}`)).url + path)).text();
  for (let i = 0; i < 200; ++i) await Promise.all([ask('chat-8b', 'ready'), ask('chat-8b', 'ready'), ask('embed', 'ready')]);
  await shoot(served.url, [
    ['services', '/services', (page) => page.locator('[data-service=video] .state.short').waitFor()],
    ['service', '/services/chat-8b', (page) => page.locator('[data-replica] .state', {hasText: 'not ready'}).waitFor()],
  ], 'light', true);
}

/** A node with GPUs, made up, one of which is used, for two minutes: so long it takes until jobs are judged. Meanwhile the
 *  single machine and the fleet have less to do, and more again. */
async function showGpus() {
  const machine = opened();
  const doing = (s) => machine.makeUpGpus([0, 1].flatMap((gpu) => {
    const part = gpu ? 0 : 0.6 + 0.35 * Math.sin(s / 17);
    const fields = {gpm: 1, throttle: 0, limit_mw: 700_000, sm_ppm: part * 1e6, util: 100 * part,
      power_mw: 70_000 + 550_000 * part, celsius: 34 + 36 * part, used_mib: 24_000 + 50_000 * part};
    return Object.entries(fields).map(([name, value]) => `set ${gpu} ${name} ${Math.round(value)}`);
  }));
  doing(0);
  await machine.up();
  for (const name of ['finetune-7b', 'notebook']) {
    await machine.wait(await machine.run('--name', name, '--gpu', '1', '--', 'sleep', '1000'), 'running');
  }
  for (let s = 0; s < 120; s += 2) {
    doing(s);
    if (s % 20 === 0) {
      await one.run('--name', `probe-${s / 20}`, '--gpu', '0.5', '--priority', '10', '--', 'sleep', '9');
      await fleet.run('--name', `probe-${s / 20}`, '--gpu', 'H100:1', '--', 'sleep', '9');
    }
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
  await shoot(machine.url, [['node', '/nodes', async (page) => {
    await page.getByRole('table', {name: 'Nodes'}).getByRole('link').click();
    await page.getByRole('link', {name: 'finetune-7b'}).waitFor();
    await page.locator('.chart').first().waitFor();
  }], ['efficiency', '/efficiency', async (page) => {
    await page.getByRole('button', {name: '1m'}).click();
    await page.locator('.pareto li').first().waitFor();
  }]], 'light', true);
}

async function beginFleet() {
  await fleet.up('--agents', '127.0.0.1:0', '--prices', fleet.write('prices.yaml', `version: 1
gpu_hour: {default: 2, H100: 3.5, A100: 1.8}
`), '--queues', fleet.write('queues.yaml', `version: 1
queues:
  - {name: research, weight: 2, guaranteed: {gpus: 6}, limits: {gpus: 10, jobs: 50}}
  - {name: vision, parent: research, guaranteed: {gpus: 4}}
  - {name: speech, parent: research}
  - {name: product, guaranteed: {gpus: 2}, limits: {gpus: 8, gpu_hours: 2000}}
`));
  for (const name of ['gpu-1', 'gpu-2', 'gpu-3']) await fleet.agent(name, '4xH100:80GB', '--chaos');
  await fleet.agent('gpu-4', '1xA100:40GB');
  const flaky = await fleet.submit({name: 'flaky', queue: 'speech', command: 'test "$GYRE_ATTEMPT" = 2',
    retry: {on: ['error'], max: 3, backoff: '1s..1s'}});
  for (let i = 1; i <= 3; ++i) {
    await fleet.wait(await fleet.submit({name: `render-${i}`, queue: 'product', command: ['./render'], working_directory: '/srv/render-farm', resources: {gpu: 'A100:1'},
      retry: {max: 0}}), 'failed');
  }
  await fleet.wait(flaky, 'succeeded');
  const starts = [['finetune-7b', 'vision', 4], ['pretrain', 'vision', 3], ['asr', 'speech', 2], ['ranker', 'product', 1]];
  for (const [name, queue, gpus] of starts) {
    await fleet.wait(await fleet.submit({name, queue, tenant: queue === 'product' ? 'shop' : 'lab', command: 'sleep 1000', preemptible: true,
      resources: {gpu: gpus}}), 'running');
  }
  await fleet.submit({name: 'pretrain-70b', queue: 'vision', command: 'sleep 1000', preemptible: true, resources: {gpu: 4}});
  await fleet.submit({name: 'tts', queue: 'speech', command: 'sleep 1000', preemptible: true, resources: {gpu: 2}});
}

async function showFleet() {
  const healing = (page) => page.locator('[data-node] button').waitFor();
  await shoot(fleet.url, [
    ['costs', '/costs', async (page) => {
      await page.getByRole('button', {name: 'by job'}).click();
      await page.getByRole('link', {name: 'pretrain', exact: true}).waitFor();
    }],
    ['alerts', '/', (page) => page.locator('[data-alert]').first().waitFor()],
  ]);
  await shoot(fleet.url, [['healing', '/healing', healing]], 'dark');
  await shoot(fleet.url, [
    ['healing', '/healing', healing],
    ['queues', '/queues', (page) => page.locator('.held-back').first().waitFor()],
    ['nodes', '/nodes', (page) => page.locator('.card').first().waitFor()],
  ], 'light', true);
  await fleet.cli('policy', 'set', 'gyre+lookahead');
  await shoot(fleet.url, [['decisions', '/decisions', async (page) => {
    const change = page.locator('.decision[data-kind=policy]');
    await change.getByText('What it changed').click();
    await change.getByRole('button', {name: 'Undo'}).waitFor();
    await page.locator('.incident').first().waitFor();
  }]], 'light', true);
  await shoot(fleet.url, [['admin', '/admin', async (page) => {
    await page.getByRole('table', {name: 'Certificates of nodes'}).waitFor();
    await page.getByRole('list', {name: 'Policies that decided'}).getByText('What it changed').first().click();
  }]], 'light', true);
  await fleet.post('/v1/nodes/gpu-3/faults', {do: 'drain-node', for: '10m', by: 'ops'});
  const drill = (page) => page.getByRole('region', {name: 'Broken on purpose'}).waitFor();
  await shoot(fleet.url, [['drill', '/', drill]]);
  await shoot(fleet.url, [['drill', '/', drill]], 'dark');
}

/** A past in which the order matters: large jobs, which the small ones may or may not pass. */
async function showLab() {
  const past = opened();
  await past.up();
  const jobs = [];
  for (let i = 0; i < 4; ++i) {
    for (const [name, gpu, s] of [['pretrain', 3, 4], ['finetune', 4, 2], ['evaluate', 1, 1], ['sweep', 1, 3], ['notebook', 2, 2]]) {
      jobs.push(await past.submit({name: `${name}-${i}`, command: `sleep ${s}`, expected_duration: `${s}s`, resources: {gpu}}));
    }
  }
  for (const id of jobs) await past.wait(id, 'succeeded');
  const played = (page) => page.getByRole('columnheader', {name: /^gyre/}).waitFor();
  await shoot(past.url, [['lab', '/lab', async (page) => {
    for (const name of ['fifo', 'sjf-easy', 'gyre']) await page.getByRole('checkbox', {name: new RegExp(`^${name} `)}).check();
    await page.getByRole('button', {name: 'Start', exact: true}).click();
    await played(page);
  }]], 'light', true);
  await shoot(past.url, [['lab', '/lab', played]], 'dark', true);
}

async function shoot(url, pages, scheme = 'light', whole = false) {
  const browser = await openBrowser({colorScheme: scheme, timezoneId: 'UTC'});
  const page = browser.context.pages()[0] ?? (await browser.context.newPage());
  for (const [name, path, ready] of pages) {
    await page.goto(`${url}/#${path}`);
    await page.getByTestId('link').getByText('live').waitFor();
    await ready(page);
    await page.evaluate(() => window.scrollTo(0, 0)); // a click may have gone further down
    // Lines out of sight are not drawn, so a whole page is one that is all in sight.
    const height = whole ? await page.evaluate(() => document.documentElement.scrollHeight) : 0;
    await page.setViewportSize({width: SCREEN.width, height: Math.max(SCREEN.height, height)});
    await page.screenshot({path: `${FOLDER}${name}${scheme === 'dark' ? '-dark' : ''}.png`, animations: 'disabled', fullPage: whole});
    await page.setViewportSize(SCREEN);
    console.log(`${name}${scheme === 'dark' ? '-dark' : ''}.png`);
  }
  await browser.close();
}
