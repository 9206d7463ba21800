// Takes the pictures of docs/guide/dashboard.md: `node tests/web/screenshots.mjs`, after `make build` and `npm ci` in web/.
import {mkdirSync} from 'node:fs';

import {openBrowser} from './browser.mjs';
import {Cloud} from './cloud.mjs';

const FOLDER = new URL('../../docs/guide/dashboard/', import.meta.url).pathname;
mkdirSync(FOLDER, {recursive: true});

const cloud = await new Cloud().up();
const live = {};
try {
  live.train = await cloud.run('--name', 'finetune-7b', '--gpu', '2', '--', 'sh', '-c',
    'i=0; while :; do i=$((i+1)); echo "step $i  loss $(awk "BEGIN{printf \\"%.4f\\", 2.3/(1+$i/40)}")"; sleep 0.05; done');
  await cloud.wait(live.train, 'running');
  await cloud.run('--name', 'notebook', '--gpu', '0.5', '--', 'sleep', '1000');
  live.waits = await cloud.run('--name', 'pretrain-70b', '--gpu', '4', '--priority', '9', '--', 'sleep', '1000');
  const broken = await cloud.run('--name', 'broken', '--', 'sh', '-c', 'echo "no such file: data.bin" >&2; exit 3');
  await cloud.wait(broken, 'failed');
  for (const size of [1, 1, 2]) await cloud.run('--name', `sweep-${size}`, '--gpu', String(size), '--', 'sleep', '1000');
  for (let i = 0; i < 5; ++i) await cloud.wait(await cloud.run('--name', `evaluate-${i}`, '--', 'true'), 'succeeded');
  await shoot(cloud.url, [
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
    ['nodes', '/nodes', (page) => page.locator('.card').first().waitFor()],
    ['decisions', '/decisions', (page) => page.locator('.decision').first().waitFor()],
    ['terminal', `/jobs/${live.train}`, async (page) => {
      await page.getByRole('tab', {name: 'terminal'}).click();
      await page.getByRole('button', {name: 'Open a terminal'}).click();
      await page.getByTestId('shell-state').getByText('running').waitFor();
      await page.keyboard.type('echo $CUDA_VISIBLE_DEVICES');
      await page.keyboard.press('Enter');
      await page.locator('.xterm-rows > div', {hasText: /^0,1/}).first().waitFor();
    }],
  ]);
  await shoot(cloud.url, [['overview', '/', (page) => page.locator('.chart').first().waitFor()]], 'dark');
} finally {
  await cloud.close();
}

// Services under load: one that is being updated, one that scales, one that waits for room, one at rest.
const served = new Cloud();
try {
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
} finally {
  await served.close();
}

// A node with GPUs, made up, one of which is used, for two minutes: so long it takes until jobs are judged.
const machine = new Cloud();
try {
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
} finally {
  await machine.close();
}

// Tenants with quotas on five nodes, of which one is ill.
const fleet = new Cloud();
try {
  await fleet.up('--agents', '127.0.0.1:0', '--prices', fleet.write('prices.yaml', `version: 1
gpu_hour: {default: 2, H100: 3.5, A100: 1.8}
`), '--queues', fleet.write('queues.yaml', `version: 1
queues:
  - {name: research, weight: 2, guaranteed: {gpus: 6}, limits: {gpus: 10, jobs: 50}}
  - {name: vision, parent: research, guaranteed: {gpus: 4}}
  - {name: speech, parent: research}
  - {name: product, guaranteed: {gpus: 2}, limits: {gpus: 8, gpu_hours: 2000}}
`));
  for (const name of ['gpu-1', 'gpu-2', 'gpu-3']) await fleet.agent(name, '4xH100:80GB');
  await fleet.agent('gpu-4', '1xA100:40GB');
  const flaky = await fleet.submit({name: 'flaky', queue: 'speech', command: 'test "$GYRE_ATTEMPT" = 2',
    retry: {on: ['error'], max: 3, backoff: '1s..1s'}});
  for (let i = 1; i <= 3; ++i) {
    await fleet.wait(await fleet.submit({name: `render-${i}`, queue: 'product', command: ['render-farm'], resources: {gpu: 'A100:1'},
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
  const pages = [
    ['queues', '/queues', (page) => page.locator('.held-back').first().waitFor()],
    ['costs', '/costs', async (page) => {
      await page.getByRole('button', {name: 'by job'}).click();
      await page.getByRole('link', {name: 'pretrain', exact: true}).waitFor();
    }],
    ['alerts', '/', (page) => page.locator('[data-alert]').first().waitFor()],
    ['admin', '/admin', (page) => page.getByRole('table', {name: 'Certificates of nodes'}).waitFor()],
    ['healing', '/healing', (page) => page.locator('[data-node] button').waitFor()],
  ];
  await shoot(fleet.url, pages);
  await shoot(fleet.url, [['healing', '/healing', pages.at(-1)[2]]], 'dark');
} finally {
  await fleet.close();
}

// A past in which the order matters: large jobs, which the small ones may or may not pass.
const past = new Cloud();
try {
  await past.up();
  const jobs = [];
  for (let i = 0; i < 4; ++i) {
    for (const [name, gpu, s] of [['pretrain', 3, 4], ['finetune', 4, 2], ['evaluate', 1, 1], ['sweep', 1, 3], ['notebook', 2, 2]]) {
      jobs.push(await past.submit({name: `${name}-${i}`, command: `sleep ${s}`, expected_duration: `${s}s`, resources: {gpu}}));
    }
  }
  for (const id of jobs) await past.wait(id, 'succeeded');
  await shoot(past.url, [['lab', '/lab', async (page) => {
    for (const name of ['fifo', 'sjf-easy', 'gyre']) await page.getByRole('checkbox', {name: new RegExp(`^${name} `)}).check();
    await page.getByRole('button', {name: 'Start', exact: true}).click();
    await page.getByRole('columnheader', {name: /^gyre/}).waitFor();
  }]], 'light', true);
  await shoot(past.url, [['lab', '/lab', (page) => page.getByRole('columnheader', {name: /^gyre/}).waitFor()]], 'dark', true);
} finally {
  await past.close();
}

async function shoot(url, pages, scheme = 'light', whole = false) {
  const browser = await openBrowser({colorScheme: scheme, timezoneId: 'UTC'});
  const page = browser.context.pages()[0] ?? (await browser.context.newPage());
  for (const [name, path, ready] of pages) {
    await page.goto(`${url}/#${path}`);
    await page.getByTestId('link').getByText('live').waitFor();
    await ready(page);
    await page.screenshot({path: `${FOLDER}${name}${scheme === 'dark' ? '-dark' : ''}.png`, animations: 'disabled', fullPage: whole});
    console.log(`${name}${scheme === 'dark' ? '-dark' : ''}.png`);
  }
  await browser.close();
}
