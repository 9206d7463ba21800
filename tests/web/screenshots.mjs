// Takes the pictures of docs/guide/dashboard.md: `node tests/web/screenshots.mjs`, after `make build` and `npm ci` in web/.
import {mkdirSync} from 'node:fs';

import {openBrowser} from './browser.mjs';
import {Cloud, Simulation} from './cloud.mjs';

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
      await page.getByText('Starts at once').waitFor();
    }],
    ['node', '/nodes', async (page) => {
      await page.getByRole('table', {name: 'Nodes'}).getByRole('link').click();
      await page.getByRole('link', {name: 'finetune-7b'}).waitFor();
    }],
  ]);
} finally {
  await cloud.close();
}

// A day of a made-up cluster of 1,200 nodes, which fail now and then.
const random = (() => {
  let state = 7;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
})();
const rows = Array.from({length: 9000}, (_, i) => {
  const gpus = [1, 1, 1, 2, 4, 8, 8, 16, 64][Math.floor(random() * 9)];
  const queue = ['research', 'product', 'batch'][Math.floor(random() * 3)];
  return `${['train', 'sweep', 'eval', 'finetune'][i % 4]}-${i},${Math.floor((i * 86_400) / 9000)},${
    Math.floor(600 + 50_000 * random() ** 2)},${gpus},${queue},${Math.floor(random() * 10)},${random() < 0.5}`;
});
const simulation = await new Simulation().up(['id,submit,duration,gpus,queue,priority,preemptible', ...rows].join('\n'),
  '1200x8:H100', '--mtbf', '20d', '--mttr', '4h', '--speed', '600');
try {
  await fetch(`${simulation.url}/v1/simulation`, {method: 'POST', headers: {'Content-Type': 'application/json'},
    body: JSON.stringify({seek_s: 64_000})});
  const pages = [
    ['overview', '/', (page) => page.locator('.decision').first().waitFor()],
    ['queues', '/queues', (page) => page.getByText('research').first().waitFor()],
    ['nodes', '/nodes', (page) => page.getByRole('application').waitFor()],
    ['decisions', '/decisions', (page) => page.locator('.decision').first().waitFor()],
  ];
  await shoot(simulation.url, pages);
  await shoot(simulation.url, [pages[0]], 'dark');
} finally {
  await simulation.close();
}

async function shoot(url, pages, scheme = 'light') {
  const browser = await openBrowser({colorScheme: scheme, timezoneId: 'UTC'});
  const page = browser.context.pages()[0] ?? (await browser.context.newPage());
  for (const [name, path, ready] of pages) {
    await page.goto(`${url}/#${path}`);
    await page.getByTestId('link').getByText('live').waitFor();
    await ready(page);
    await page.screenshot({path: `${FOLDER}${name}${scheme === 'dark' ? '-dark' : ''}.png`, animations: 'disabled'});
    console.log(`${name}${scheme === 'dark' ? '-dark' : ''}.png`);
  }
  await browser.close();
}
