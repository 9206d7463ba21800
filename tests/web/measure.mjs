// Measures the dashboard in a real browser: bench/dashboard.py runs it. Prints one JSON object.
// Times of tasks are CPU time of the page's main thread (Chromium's trace, "tdur"), so that a busy machine does not
// lengthen them; beside them stands how long they took on the clock.
import {openBrowser} from './browser.mjs';
import {Cloud, Simulation} from './cloud.mjs';

const NODES = 10_000;
const WATCH_MS = Number(process.env.GYRE_WATCH_MS ?? 10_000);

/** So many jobs of one GPU, each `seconds` long; so many a second are submitted, or all at once. */
function trace(count, seconds, aSecond = Infinity) {
  const lines = ['name,submit,duration,gpus'];
  for (let i = 0; i < count; ++i) lines.push(`job-${i % 997}-${i},${Math.floor(i / aSecond)},${seconds + (i % 7)},1`);
  return `${lines.join('\n')}\n`;
}

class Tracer {
  constructor(client) {
    this.client = client;
    this.events = [];
    client.on('Tracing.dataCollected', ({value}) => this.events.push(...value));
  }
  async start() {
    this.events = [];
    await this.client.send('Tracing.start', {
      transferMode: 'ReportEvents', traceConfig: {includedCategories: ['disabled-by-default-devtools.timeline', 'toplevel', 'devtools.timeline']},
    });
  }
  /** The main thread's tasks in ms: the longest by CPU and by the clock, and how many of either were over 50 ms. */
  async stop() {
    const done = new Promise((resolve) => this.client.once('Tracing.tracingComplete', resolve));
    await this.client.send('Tracing.end');
    await done;
    const main = this.events.find((one) => one.name === 'thread_name' && one.args?.name === 'CrRendererMain');
    const tasks = this.events.filter((one) => one.ph === 'X' && one.tid === main?.tid && one.pid === main?.pid &&
      /RunTask|ThreadControllerImpl::RunTask/.test(one.name));
    const cpu = tasks.map((one) => (one.tdur ?? 0) / 1000);
    const clock = tasks.map((one) => (one.dur ?? 0) / 1000);
    return {tasks: tasks.length, cpu_max_ms: round(Math.max(0, ...cpu)), clock_max_ms: round(Math.max(0, ...clock)),
      cpu_over_50: cpu.filter((ms) => ms > 50).length, clock_over_50: clock.filter((ms) => ms > 50).length};
  }
}

const round = (ms) => Math.round(ms * 10) / 10;

async function openPage(url) {
  const browser = await openBrowser();
  const page = browser.context.pages()[0] ?? (await browser.context.newPage());
  page.setDefaultTimeout(60_000);
  await page.goto(url);
  const tracer = new Tracer(await browser.context.newCDPSession(page));
  return {browser, page, tracer};
}

/** Waits until the overview is as wished. */
async function until(simulation, wish) {
  while (!wish(await simulation.get('/v1/overview'))) await new Promise((resolve) => setTimeout(resolve, 200));
}

/** What the user does on the page while events come. */
async function use(page, act) {
  const until = Date.now() + WATCH_MS;
  for (let step = 0; Date.now() < until; ++step) await act(step);
}

async function firstPaint() {
  const cloud = await new Cloud().up();
  const paints = [];
  let bytes = 0;
  try {
    for (let i = 0; i < 5; ++i) {
      const browser = await openBrowser();
      const page = browser.context.pages()[0] ?? (await browser.context.newPage());
      await page.goto(cloud.url);
      await page.getByTestId('link').waitFor();
      const seen = await page.evaluate(() => ({
        paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime,
        bytes: performance.getEntriesByType('resource').filter((one) => one.name.endsWith('.js'))
          .reduce((sum, one) => sum + one.encodedBodySize, 0),
      }));
      paints.push(round(seen.paint));
      bytes = seen.bytes;
      await browser.close();
    }
  } finally {
    await cloud.close();
  }
  return {first_contentful_paint_ms: paints, javascript_bytes_compressed: bytes};
}

async function nodes() {
  const simulation = await new Simulation().up(trace(40_000, 600, 300), `${NODES}x8:H100`, '--policy', 'fifo');
  await until(simulation, (overview) => overview.nodes_up === NODES);
  const {browser, page, tracer} = await openPage(`${simulation.url}/#/nodes`);
  try {
    await page.locator('.heatmap canvas').waitFor();
    const map = page.locator('.heatmap canvas');
    const box = await map.boundingBox();
    await tracer.start();
    await use(page, async (step) => {
      await page.mouse.move(box.x + ((step * 37) % box.width), Math.min(box.y + ((step * 11) % box.height), 800));
      await page.evaluate((at) => { const one = document.querySelector('.grid-table .scroll'); if (one) one.scrollTop = at; }, (step * 997 * 40) % (NODES * 40));
      if (step % 20 === 7) await page.getByRole('columnheader', {name: ['Free', 'Name'][(step / 20 | 0) % 2], exact: true}).getByRole('button').click();
      if (step % 20 === 14) await page.getByLabel('Search nodes').fill(['7', ''][(step / 20 | 0) % 2]);
      await page.waitForTimeout(30);
    });
    return {...(await tracer.stop()), nodes: NODES};
  } finally {
    await browser.close();
    await simulation.close();
  }
}

/** So many jobs, most of which wait, while a thousand events a second come: filtered, sorted, searched and scrolled. */
async function jobs() {
  const count = 100_000;
  // 4,000 GPUs, jobs of 6 s in the mean: 667 a second start and end, with three events each, where the machine keeps up.
  const simulation = await new Simulation().up(trace(count, 3), '500x8:H100', '--policy', 'fifo', '--speed', '1');
  await until(simulation, (overview) => overview.jobs.succeeded > 500);
  const {browser, page, tracer} = await openPage(`${simulation.url}/#/jobs`);
  const heard = async () => Number(await page.getByTestId('link').getAttribute('data-events'));
  const states = ['queued', 'running', 'succeeded'];
  try {
    await page.locator('[data-job]').first().waitFor();
    const before = await heard();
    const begun = Date.now();
    await tracer.start();
    await use(page, async (step) => {
      await page.evaluate((at) => { const one = document.querySelector('.grid-table .scroll'); if (one) one.scrollTop = at; }, (step * 997 * 44) % (count * 40));
      if (step % 16 === 2) await page.getByRole('button', {name: states[(step / 16 | 0) % 3], exact: true}).click();
      if (step % 16 === 7) await page.getByRole('columnheader', {name: ['Name', 'GPUs', 'Time'][(step / 16 | 0) % 3], exact: true}).getByRole('button').click();
      if (step % 16 === 12) await page.getByRole('searchbox').fill(['job-7', ''][(step / 16 | 0) % 2]);
      await page.waitForTimeout(100);
    });
    const report = await tracer.stop();
    return {...report, jobs: count, events_a_second: Math.round((await heard() - before) / ((Date.now() - begun) / 1000))};
  } finally {
    await browser.close();
    await simulation.close();
  }
}

/** A page that is looked at while 80,000 jobs arrive at one time. */
async function burst() {
  const count = 80_000;
  const lines = ['name,submit,duration,gpus', 'first,0,10,1'];
  for (let i = 0; i < count; ++i) lines.push(`job-${i},3600,1000,1`);
  const simulation = await new Simulation().up(`${lines.join('\n')}\n`, '8x8:H100', '--policy', 'fifo', '--speed', '1');
  const {browser, page, tracer} = await openPage(`${simulation.url}/#/`);
  try {
    await page.getByTestId('link').getByText('live').waitFor();
    await tracer.start();
    await fetch(`${simulation.url}/v1/simulation`, {method: 'POST', headers: {'Content-Type': 'application/json'},
      body: JSON.stringify({speed: 36_000})});
    await until(simulation, (overview) => overview.jobs.queued + overview.jobs.running >= count * 0.9);
    await page.waitForFunction((n) => Number(document.querySelector('[data-testid=link]').dataset.events) >= n, count);
    return {...(await tracer.stop()), events: count};
  } finally {
    await browser.close();
    await simulation.close();
  }
}

const parts = {paint: firstPaint, nodes, jobs, burst};
const wanted = process.argv.slice(2);
const report = {};
for (const [name, measure] of Object.entries(parts)) {
  if (wanted.length === 0 || wanted.includes(name)) report[name] = await measure();
}
console.log(JSON.stringify(report));
