// The dashboard in a real browser, on a real server with real jobs. Run by test_pages.py, or by `node --test`.
import assert from 'node:assert/strict';
import {rmSync} from 'node:fs';
import {after, before, describe, test} from 'node:test';

import {openBrowser} from './browser.mjs';
import {Cloud, Simulation} from './cloud.mjs';
import {accessible, becomes, browser, counts, focused, HOSTILE, page, PATIENCE_MS, see} from './stage.mjs';

let cloud;

before(async () => {
  cloud = await new Cloud().up();
});
after(() => cloud?.close());

const go = (path) => page.goto(`${cloud.url}/#${path}`);

describe('pages', () => {
  test('an empty cloud says how to begin', async () => {
    await go('/jobs');
    await see('No job yet');
    await go('/decisions');
    await see(/^Nothing: no job has been decided on since this server started at .*\d\d:\d\d:\d\d\.$/);
    await go('/healing');
    await see('Nothing has gone wrong yet');
    await go('/services');
    await see('No service yet');
    await go('/nowhere');
    await see('There is no such page');
    await go('/jobs/999');
    await see('there is no job 999');
  });

  test('overview counts what there is, live', async () => {
    await go('/');
    await page.getByTestId('link').getByText('live').waitFor();
    const id = await cloud.run('--name', 'train', '--gpu', '3', '--', 'sleep', '1000');
    await cloud.wait(id, 'running');
    await see('of 4 GPUs');
    await page.locator('.tile-value', {hasText: /^3 of 4/}).waitFor(); // without a reload
    await page.locator('.decision', {hasText: 'train'}).getByText('its turn').waitFor();
    await page.locator('.tile', {hasText: 'GPUs active'}).getByText('unknown').waitFor(); // declared ones tell nothing
    await see('How many were active is unknown: no GPU has told.');
    await accessible();
  });

  test('jobs are listed with their one reason, filtered and sorted', async () => {
    await cloud.run('--name', 'wait-for-it', '--gpu', '2', '--', 'true');
    const failed = await cloud.run('--name', 'broken', '--', 'sh', '-c', 'echo oh no >&2; exit 3');
    await cloud.wait(failed, 'failed');
    await go('/jobs');
    const row = (name) => page.locator('[data-job]', {hasText: name});
    await row('wait-for-it').getByText('waiting for turn').waitFor();
    await row('broken').getByText('exit code 3').waitFor();
    await accessible();
    await page.getByRole('button', {name: 'failed', exact: true}).click();
    await row('train').waitFor({state: 'detached'});
    await row('broken').waitFor();
    await counts(page.locator('[data-job]'), 1);
    await page.getByRole('button', {name: 'failed', exact: true}).click();
    await page.getByRole('button', {name: 'GPUs'}).click();
    await page.locator('[data-job] >> nth=0').getByText('train').waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('wait-');
    await row('train').waitFor({state: 'detached'});
    await page.getByRole('searchbox').fill('no such');
    await see('No job is like that');
  });

  test('the keyboard reaches a job', async () => {
    await go('/');
    await see('of 4 GPUs'); // before that the keys would go to the page before
    await page.keyboard.press('g');
    await page.keyboard.press('j');
    await page.locator('[data-row="0"]').focus();
    await page.keyboard.press('ArrowDown');
    await page.locator('[data-row="1"]:focus').waitFor();
    await page.keyboard.press('ArrowDown');
    await page.locator('[data-row="2"]:focus').waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', {name: 'train'}).waitFor();
  });

  test('jobs are stopped in bulk, after a question', async () => {
    const ids = [];
    for (let i = 0; i < 3; ++i) ids.push(await cloud.run('--name', `sweep-${i}`, '--', 'sleep', '1000'));
    await go('/jobs?search=sweep');
    for (const id of ids) await page.getByRole('checkbox', {name: `Choose job ${id}`}).check();
    await page.getByRole('button', {name: 'Stop', exact: true}).click();
    await page.getByRole('button', {name: 'Yes, stop 3 jobs'}).click();
    for (const id of ids) await cloud.wait(id, 'cancelled');
    await page.locator('[data-job]', {hasText: 'sweep-2'}).getByText('cancelled').waitFor();
  });

  test('all that match are chosen at once, and what could not be stopped stays chosen', async () => {
    const ids = [];
    for (let i = 0; i < 5; ++i) ids.push(await cloud.run('--name', `flock-${i}`, '--', 'sleep', '1000'));
    await cloud.cli('stop', String(ids[0]));
    await cloud.wait(ids[0], 'cancelled');
    await go('/jobs?search=flock');
    await page.locator('[data-job]', {hasText: 'flock-0'}).getByText('cancelled').waitFor();
    await page.getByRole('checkbox', {name: 'Choose all that match and are not over'}).press('Space');
    const bulk = page.getByRole('region', {name: 'Chosen jobs'});
    await bulk.getByText('4 jobs chosen, 4 of them not over').waitFor();
    await page.getByRole('checkbox', {name: `Choose job ${ids[0]}`, checked: false}).waitFor();
    await becomes(() => page.getByRole('searchbox').inputValue(), (text) => text === 'flock', 'it goes with the address');
    await accessible();
    const refused = `**/v1/jobs/${ids[2]}/actions`;
    await page.route(refused, (route) => route.fulfill({status: 503, json: {detail: 'the journal is away'}}));
    await bulk.getByRole('button', {name: 'Stop', exact: true}).click();
    await bulk.getByRole('button', {name: 'Yes, stop 4 jobs'}).click();
    await bulk.getByText(`1 job could not be stopped: job ${ids[2]}: the journal is away`).waitFor();
    await bulk.getByText('3 jobs asked to stop').waitFor();
    await bulk.getByText('1 job chosen').waitFor();
    await page.unroute(refused);
    await bulk.getByRole('button', {name: 'Stop', exact: true}).click();
    await bulk.getByRole('button', {name: 'Yes, stop 1 job'}).click();
    for (const id of ids) await cloud.wait(id, 'cancelled');
    await bulk.getByText('1 job asked to stop').waitFor();
    await page.getByRole('button', {name: 'failed', exact: true}).click();
    await counts(page.getByRole('checkbox', {name: 'Choose all that match and are not over', disabled: false}), 0);
  });

  test('a job is shown in full: states, output with search, events, decisions, spec', async () => {
    const id = await cloud.run('--name', 'noisy', '--', 'sh', '-c',
      'for i in $(seq 1 3000); do echo "line $i"; done; echo to-stderr >&2; printf "\\033[31mred\\033[0m\\n"; sleep 1000');
    await cloud.wait(id, 'running');
    await go(`/jobs/${id}`);
    await page.locator('.line', {hasText: 'line 3000'}).waitFor();
    await counts(page.locator('.line', {hasText: /^red$/}), 1);
    assert.ok((await page.locator('.line').count()) < 200, 'only what is in sight is drawn');
    await page.getByRole('searchbox', {name: 'Search the output'}).fill('line 1234');
    await page.locator('.line.current', {hasText: 'line 1234'}).waitFor();
    await see('1 of 1 line');
    await accessible();
    await page.getByRole('button', {name: 'stderr'}).click();
    await page.locator('.line', {hasText: 'to-stderr'}).waitFor();
    await page.getByRole('tab', {name: 'events'}).click();
    await becomes(async () => (await page.locator('tr[data-event] td:nth-child(3)').allInnerTexts()).map((text) => text.replace(/[^a-z]/g, '')),
      (all) => all.join() === 'queued,starting,running');
    await page.getByRole('tab', {name: 'decisions'}).click();
    await page.locator('.decision[data-kind=backfill], .decision[data-kind=start]').waitFor();
    await page.getByRole('tab', {name: 'spec'}).click();
    await see('name: noisy');
    await page.getByRole('button', {name: 'Stop', exact: true}).click();
    await page.getByRole('button', {name: 'Yes, stop it'}).click();
    await see('User request');
  });

  test('a waiting job shows why, and what it waits for', async () => {
    const {jobs} = await cloud.get('/v1/jobs?search=wait-for-it');
    const asked = [];
    const note = (request) => asked.push(request.url());
    page.on('request', note);
    await go(`/jobs/${jobs[0].id}`);
    await page.locator('.reason', {hasText: 'Waiting for turn'}).waitFor();
    await see('needs 2 GPUs');
    await page.locator('.reason', {hasText: /[Ee]xpected to start|start is unknown/}).waitFor();
    await accessible();
    // What costs the server much is not asked for every time.
    await page.waitForRequest(/\/explanation$/);
    page.off('request', note);
    assert.equal(asked.filter((url) => url.endsWith('/explanation?outlook=true')).length, 1);
    assert.ok(asked.filter((url) => url.endsWith('/explanation')).length >= 2);
  });

  test('submitting shows problems at their field, then the plan, then the job', async () => {
    await go('/submit');
    await page.getByLabel('Command, run by /bin/sh').fill('echo from the page');
    await page.getByLabel('Name').fill('by hand');
    await see('Job spec is not valid');
    await page.locator('.field', {hasText: 'Name'}).locator('.bad').waitFor();
    await page.getByLabel('Name').fill('by-hand');
    await page.getByLabel('GPUs of each task').fill('H100:64');
    await page.locator('.reason.bad').waitFor();
    await page.getByRole('button', {name: 'Submit', exact: true, disabled: true}).waitFor();
    await page.getByLabel('GPUs of each task').fill('H100:1');
    await page.getByLabel('Rather spread over').selectOption('rack');
    await page.getByLabel('On no node that runs').fill('nobody');
    await see('names the group');
    await page.getByLabel('On no node that runs').fill('');
    await see('Starts at once');
    await accessible();
    await page.getByRole('button', {name: 'YAML'}).click();
    const text = await page.getByLabel('Job spec as YAML').inputValue();
    assert.match(text, /name: by-hand[^]*gpu: H100:1[^]*placement:\n {2}spread: rack\n/);
    await page.getByLabel('Job spec as YAML').fill(`${text}pirority: 9\n`);
    await see('Did you mean');
    await page.getByLabel('Job spec as YAML').fill(`${text}priority: 9\n`);
    await see('Starts at once');
    await page.getByRole('button', {name: 'Submit', exact: true}).click();
    await page.getByRole('heading', {name: 'by-hand'}).waitFor();
    await page.locator('.line', {hasText: 'from the page'}).waitFor();
    await page.getByRole('link', {name: 'Submit again'}).click();
    await page.getByLabel('Job spec as YAML').or(page.getByLabel('Command, run by /bin/sh')).waitFor();
    await see('Starts at once');
  });

  test('queues, nodes and one node', async () => {
    await go('/queues');
    await page.locator('[data-queue=default]').waitFor();
    await see('No queue has a guarantee');
    await accessible();
    await go('/nodes');
    await see('virtual GPUs');
    await page.getByRole('img', {name: 'GPU 0, 100 percent given out'}).waitFor();
    await accessible();
    await page.getByRole('table', {name: 'Nodes'}).getByRole('link').click();
    await page.getByRole('link', {name: 'train'}).waitFor();
    await see('there is no device that could be read');
    await accessible();
    await page.getByRole('button', {name: 'Cordon'}).click();
    await page.locator('.bar').getByText('cordoned').waitFor();
    await page.getByRole('button', {name: 'Back into service'}).click();
    await page.locator('.bar .state.up').waitFor();
  });

  test('efficiency shows what running jobs hold, and judges nobody too soon', async () => {
    await go('/efficiency');
    const row = page.getByRole('row', {name: /train/});
    await row.getByText('unknown').waitFor();
    await see('no job that has been judged is idle');
    await page.locator('.tile', {hasText: 'held by running jobs'}).getByText('3').first().waitFor();
    await accessible();
    await page.getByRole('button', {name: '1h'}).click();
    await row.waitFor();
  });

  test('decisions are filtered by kind', async () => {
    await go('/decisions');
    await page.locator('.decision[data-kind=start]').first().waitFor();
    await accessible();
    await page.getByRole('button', {name: 'give up', exact: true}).click();
    await see(/^Nothing of this kind since this server started at/);
  });

  test('dark colours have enough contrast too', async () => {
    await page.getByLabel('Colours').selectOption('dark');
    for (const path of ['/', '/jobs', '/services', '/submit', '/nodes', '/efficiency', '/costs', '/decisions', '/queues', '/healing', '/lab', '/admin']) {
      await go(path);
      await page.getByTestId('link').getByText('live').waitFor();
      await accessible(['color-contrast']);
    }
    await page.getByLabel('Colours').selectOption('system');
  });
});

describe('queues in a tree', () => {
  const TREE = `version: 1
queues:
  - {name: research, weight: 2, guaranteed: {gpus: 2}, limits: {gpus: 3, jobs: 10}}
  - {name: vision, parent: research, guaranteed: {gpus: 1}}
  - {name: speech, parent: research}
  - {name: product, guaranteed: {gpus: 1}}
`;
  let divided;

  before(async () => {
    divided = new Cloud();
    await divided.up('--queues', divided.write('queues.yaml', TREE));
  });
  after(() => divided?.close());

  test('show what each holds, borrows and may hold, and why the rest waits', async () => {
    await page.goto(`${divided.url}/#/queues`);
    const queue = (name) => page.locator(`[data-queue=${name}]`);
    await queue('vision').getByRole('img', {name: '0 of 4 GPUs held, 1 guaranteed, fair share 1, no limit'}).waitFor();
    await queue('research').getByRole('img', {name: /2 guaranteed, fair share 2, limit 3$/}).waitFor();
    const borrows = {queue: 'vision', command: 'sleep 1000', preemptible: true, resources: {gpu: 1}};
    for (let i = 0; i < 3; ++i) {
      await divided.wait(await divided.submit({...borrows, name: `sees-${i}`}), 'running');
    }
    await divided.submit({...borrows, name: 'too-many'});
    await queue('vision').getByRole('img', {name: /^3 of 4 GPUs held, 2 of them borrowed, 1 guaranteed/}).waitFor(); // without a reload
    await queue('research').getByRole('img', {name: /^3 of 4 GPUs held, 1 of them borrowed, 2 guaranteed.*limit 3$/}).waitFor();
    await queue('research').locator('h3', {hasText: '3 of 10 on nodes, 1 waiting'}).waitFor();
    const why = queue('vision').locator('.held-back', {hasText: 'Waiting for quota'});
    await why.getByRole('link', {name: 'too-many'}).waitFor();
    await why.filter({hasText: /research.*3/}).waitFor();
    const reach = await queue('research').locator('.queue-bar .limit').first().boundingBox();
    const bar = await queue('research').locator('.queue-bar').first().boundingBox();
    assert.ok(Math.abs(reach.x + reach.width - bar.x - 0.75 * bar.width) < 2, 'the limit stands at three quarters');
    await counts(page.locator('.state', {hasText: 'starved'}), 0, 'nobody has less than is due while a job waits');
    await divided.submit({...borrows, queue: 'speech', name: 'unheard'});
    await queue('speech').getByText('it lacks 1 of 1 GPU of its fair share, while others hold more than theirs; 1 job waiting').waitFor();
    await counts(page.locator('.state', {hasText: 'starved'}), 1);
    await accessible();
    await queue('vision').getByRole('link', {name: '1 waiting'}).focus();
    await page.keyboard.press('Enter');
    await page.locator('[data-job]', {hasText: 'too-many'}).waitFor();
    await counts(page.locator('[data-job]'), 1);
  });
});

describe('a fleet that heals itself', () => {
  let fleet;
  const visit = (path) => page.goto(`${fleet.url}/#${path}`);
  const incidents = () => page.locator('.incident');

  // One node in five may be in quarantine, so there are five. One of them alone has an A100.
  before(async () => {
    fleet = await new Cloud().up('--agents', '127.0.0.1:0');
    for (const name of ['gpu-1', 'gpu-2', 'gpu-3']) await fleet.agent(name, '1xH100:80GB');
    await fleet.agent('gpu-ill', '1xA100:40GB');
  });
  after(() => fleet?.close());

  test('a job that is tried again has its time to repair', async () => {
    await visit('/healing');
    await page.locator('.tile', {hasText: 'mean time to repair'}).getByText('–').waitFor();
    const job = await fleet.submit({name: 'flaky', command: 'test "$GYRE_ATTEMPT" = 2',
      retry: {on: ['error'], max: 3, backoff: '0s..0s'}});
    await fleet.wait(job, 'succeeded');
    const incident = incidents().filter({has: page.getByRole('link', {name: `job ${job}`})});
    await incident.getByText('recovered').waitFor(); // without a reload
    await incident.getByText('exit code 1').waitFor();
    await incident.getByText('runs again after').waitFor();
    await page.locator('.tile', {hasText: 'mean time to repair'}).getByText('median').waitFor();
  });

  test('a node goes into quarantine, with its reasons, and is released after a question', async () => {
    await visit('/healing');
    await see('No node is in quarantine');
    for (const name of ['misspelt-1', 'misspelt-2', 'misspelt-3']) { // one alone condemns no node
      const job = await fleet.submit({name, command: ['true'], working_directory: '/no/such/folder', resources: {gpu: 'A100:1'}, retry: {max: 0}});
      await fleet.wait(job, 'failed');
    }
    const node = page.locator('[data-node="gpu-ill"]');
    await node.getByText('cannot enter the working directory').waitFor();
    const open = incidents().filter({hasText: 'gyre node uncordon gpu-ill'});
    for (const text of ['Start refused', 'cannot enter the working directory', 'nothing new is put on the node', 'being healed for']) {
      await open.getByText(text).first().waitFor();
    }
    await accessible();
    await visit('/');
    await page.locator('.attention li', {hasText: 'gpu-ill'}).getByText('start refused').waitFor();
    await visit('/nodes');
    await page.locator('.card', {hasText: 'gpu-ill'}).getByText('quarantined').waitFor();
    await accessible();
    await visit('/nodes/gpu-ill');
    await page.locator('.bar .state.quarantined').waitFor();
    await page.getByRole('button', {name: 'Release'}).waitFor();
    await visit('/healing');
    await node.getByRole('button', {name: 'Release'}).focus();
    await page.keyboard.press('Enter');
    await focused('Yes, back into service');
    await page.keyboard.press('Escape');
    await focused('Release');
    await page.keyboard.press('Enter');
    await node.getByText('what it has shown is forgotten').waitFor();
    await focused('Yes, back into service');
    await page.keyboard.press('Enter');
    await see('No node is in quarantine');
    await incidents().getByText('a person put the node back').waitFor();
    await fleet.until(async () => (await fleet.get('/v1/nodes?name=gpu-ill')).nodes[0].state === 'up', 'it is up');
  });

  test('incidents are filtered by outcome, node, job and time', async () => {
    await visit('/healing?window=all');
    await incidents().first().waitFor();
    const all = (await fleet.get('/v1/incidents')).incidents;
    await counts(incidents(), all.length);
    await page.getByRole('button', {name: 'recovered', exact: true}).click();
    await page.locator('.foot', {hasText: `${all.filter((one) => one.outcome === 'recovered').length} of`}).waitFor();
    await page.getByRole('searchbox').fill('no such node');
    await see('No incident is like that');
    await page.getByRole('button', {name: 'Show all'}).click();
    await page.getByRole('searchbox').fill('gpu-ill');
    await page.locator('.foot', {hasText: `${all.filter((one) => one.node === 'gpu-ill').length} of`}).waitFor();
    await page.reload();
    await becomes(() => page.getByRole('searchbox').inputValue(), (text) => text === 'gpu-ill', 'the address holds the view');
  });

  test('a page whose reading fails says so, and tries again', async () => {
    await page.route('**/v1/incidents?limit=*', (route) => route.fulfill({status: 503, json: {detail: 'the core is busy'}}));
    await visit('/nodes');
    await visit('/healing');
    await page.reload();
    await see('Cannot show incidents: the core is busy');
    await page.unroute('**/v1/incidents?limit=*');
    await page.getByRole('button', {name: 'Try again'}).click();
    await incidents().first().waitFor();
  });
});

describe('a machine with GPUs', () => {
  let machine;

  before(async () => {
    machine = new Cloud();
    machine.makeUpGpus(['set 0 gpm 1', 'set 0 sm_ppm 800000', 'set 0 util 100', 'set 0 power_mw 350000', 'set 0 throttle 4', 'set 1 util 3']);
    await machine.up();
  });
  after(() => machine?.close());

  test('shows what its GPUs do, and did', async () => {
    const job = await machine.run('--name', 'busy', '--gpu', '1', '--', 'sleep', '1000');
    await machine.wait(job, 'running');
    const [{name}] = (await machine.get('/v1/nodes')).nodes;
    await page.goto(`${machine.url}/#/nodes/${name}`);
    const row = page.getByRole('row', {name: /^0 NVIDIA H100/});
    for (const text of ['ok', '80 %', '350 W', 'sw power cap', `job ${job}`, 'in use']) await row.getByText(text).first().waitFor();
    await page.getByRole('row', {name: /^1 NVIDIA H100/}).getByText('free').waitFor();
    await page.route('**/v1/usage?*', async (route) => {
      const report = await (await route.fetch()).json();
      for (const one of report.jobs) Object.assign(one, {verdict: 'idle', gpu_idle_s: 900});
      await route.fulfill({json: report});
    });
    await page.reload();
    await row.getByText('held but idle').waitFor();
    await row.getByText('for 15 min').waitFor();
    await page.unroute('**/v1/usage?*');
    await page.goto(`${machine.url}/#/`);
    await page.locator('.tile', {hasText: 'GPUs active'}).locator('.tile-value', {hasText: /^2 of 2 that tell/}).waitFor();
    await page.locator('figcaption span', {hasText: /^active$/}).waitFor();
    await page.goto(`${machine.url}/#/nodes/${name}`);
    await page.getByRole('row', {name: /^1 NVIDIA H100/}).getByText('3 % by the driver').waitFor();
    const chart = page.getByRole('img', {name: /^Power of each GPU/});
    const told = page.getByText(/GPU 0 [\d.]+, GPU 1/).first();
    for (const deadline = Date.now() + 60_000; !await told.isVisible();) { // its data may come only now
      assert.ok(Date.now() < deadline, 'the chart does not tell what the keys point at');
      await chart.focus();
      await page.keyboard.press('ArrowLeft');
      await page.keyboard.press('ArrowRight');
    }
    await accessible();
    await page.getByRole('group', {name: 'How far back'}).getByRole('button', {name: '24h'}).click();
    await page.getByText('mean of 4 min').first().waitFor();
    await page.goto(`${machine.url}/#/jobs/${job}`);
    await page.getByRole('tab', {name: 'GPUs'}).click();
    await page.getByRole('img', {name: /^Memory used on each GPU/}).waitFor();
    await see(`On ${name}, GPU 0`);
    await counts(page.locator('.legend').getByText('GPU 1'), 0, 'only what it holds');
    await accessible();
  });

  test('shows who wastes what', async () => {
    await machine.run('--name', 'slow', '--gpu', '1', '--', 'sleep', '1000');
    // A job is judged after a minute at the earliest, so the judgement is put into the answer.
    await page.route('**/v1/usage?*', async (route) => {
      const report = await (await route.fetch()).json();
      const wasted = {busy: 7200, slow: 1800};
      for (const job of report.jobs) Object.assign(job, {verdict: 'idle', gpu_seconds_wasted: wasted[job.name]});
      await route.fulfill({json: report});
    });
    await page.goto(`${machine.url}/#/efficiency`);
    const bars = page.locator('.pareto li');
    await bars.nth(0).filter({hasText: /busy[^]*2 GPU hours, 80 % up to here/}).waitFor();
    await bars.nth(1).filter({hasText: /slow[^]*0.5 GPU hours, 100 % up to here/}).waitFor();
    await accessible();
    await page.getByRole('button', {name: 'by queue'}).click();
    await bars.filter({hasText: 'default'}).getByText('2.5 GPU hours, 100 % up to here').waitFor();
    await page.unroute('**/v1/usage?*');
  });
});

describe('a narrow screen', () => {
  before(() => page.setViewportSize({width: 375, height: 812}));
  after(() => page.setViewportSize({width: 1280, height: 860}));

  test('shows every page without scrolling sideways', async () => {
    const {jobs} = await cloud.get('/v1/jobs?limit=1');
    for (const path of ['/', '/jobs', `/jobs/${jobs[0].id}`, '/services', '/submit', '/queues', '/nodes', '/efficiency', '/costs', '/decisions', '/healing', '/lab', '/admin']) {
      await go(path);
      await page.getByRole('heading', {level: 1}).waitFor({state: 'attached'});
      await page.getByTestId('link').getByText('live').waitFor();
      await page.waitForFunction(() => !document.body.innerText.includes('Loading'));
      await becomes(() => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth), (over) => over <= 0,
        `${path} is too wide by so many pixels`);
    }
    await accessible();
  });
});

describe('bad input', () => {
  test('hostile text is text', async () => {
    const id = await cloud.submit({name: 'hostile', command: ['printf', '%s\\n', HOSTILE], env: {WHO: HOSTILE}});
    await cloud.wait(id, 'succeeded');
    for (const path of ['/', '/jobs', `/jobs/${id}`, `/submit?from=${id}`, '/decisions',
      `/jobs?search=${encodeURIComponent(HOSTILE)}`, `/nodes/${encodeURIComponent(HOSTILE)}`]) {
      await go(path);
      await page.getByTestId('link').getByText('live').waitFor();
    }
    await go(`/jobs/${id}`);
    await becomes(() => page.locator('.line').first().innerText(), (text) => text === HOSTILE);
    assert.equal(await page.evaluate(() => window.hacked), undefined);
    await counts(page.locator('main img'), 0);
  });

  test('a browser whose clock is wrong shows the server’s time', async () => {
    const other = await openBrowser();
    const odd = other.context.pages()[0] ?? (await other.context.newPage());
    await odd.addInitScript(() => {
      const real = Date.now;
      Date.now = () => real() - (3 * 86_400_000 + 1_800_000);
    });
    const {jobs} = await cloud.get('/v1/jobs?search=train');
    await odd.goto(`${cloud.url}/#/jobs/${jobs[0].id}`);
    await odd.getByText('clock is 3 d 0 h behind').waitFor({timeout: PATIENCE_MS});
    await odd.locator('.bar', {hasText: /runs \d+ (s|min)/}).first().waitFor({timeout: PATIENCE_MS});
    await other.close();
  });

  test('the server goes away and comes back: the page says so, with no gap and nothing twice', async () => {
    const enough = cloud.write('counting', '');
    const id = await cloud.run('--name', 'counter', '--', 'sh', '-c',
      `i=0; while test -e ${enough}; do i=$((i+1)); echo "tick $i."; sleep 0.05; done`);
    await cloud.wait(id, 'running');
    await go(`/jobs/${id}`);
    await page.locator('.line', {hasText: 'tick 5.'}).waitFor();
    await cloud.down('SIGKILL');
    await page.getByRole('alert').getByText('has not answered').waitFor();
    await page.getByTestId('link').getByText('server away').waitFor();
    assert.ok(await page.getByRole('heading', {name: 'counter'}).isVisible(), 'what was known stays');
    await cloud.up();
    await page.getByTestId('link').getByText('live').waitFor();
    await page.getByTestId('log-state').getByText('live').waitFor();
    const seen = Number(/tick (\d+)\./.exec(await page.locator('.line').last().innerText())[1]);
    await page.locator('.line', {hasText: `tick ${seen + 20}.`}).waitFor();
    rmSync(enough); // what counts ends, so that all of it can be seen at once
    await page.getByTestId('log-state').getByText('complete').waitFor();
    const last = Number(/tick (\d+)\./.exec((await (await fetch(`${cloud.url}/v1/jobs/${id}/logs?offset=0`)).text()).trim().split('\n').at(-1))[1]);
    await page.locator('.log .foot', {hasText: `${last.toLocaleString('en-US')} lines, all`}).waitFor();
    await page.locator('.line').last().getByText(`tick ${last}.`).waitFor();
    await page.getByRole('searchbox', {name: 'Search the output'}).fill(`tick ${seen}.`);
    await see('1 of 1 line');
    const fresh = await cloud.run('--name', 'after-all', '--', 'true');
    await go('/jobs');
    await page.locator(`[data-job="${fresh}"]`).getByText('succeeded').waitFor();
  });
});

describe('a simulated world', () => {
  const NAMES = ['plain', '<b>bold</b>', '\u202eright to left', 'مرحبا', '🚀'];
  // Every ten minutes a job of two hours on one of two nodes: some have to wait.
  const trace = ['id,submit,duration,gpus', ...Array.from({length: 200}, (_, i) =>
    `${NAMES[i % NAMES.length]}-${i},${i * 600},7200,${1 + (i % 8)}`)].join('\n');
  let simulation;

  before(async () => {
    simulation = await new Simulation().up(trace, '40x8:V100', '--speed', '3600');
  });
  after(() => simulation?.close());

  const visit = (path) => page.goto(`${simulation.url}/#${path}`);

  test('is paused, sped up, and turned back and forth', async () => {
    await visit('/');
    const bar = page.getByRole('region', {name: 'Simulation'});
    await bar.getByText('playing').waitFor();
    await bar.getByRole('button', {name: 'Pause'}).click();
    await bar.getByText('paused').waitFor();
    const stood = (await simulation.get('/v1/clock')).now;
    await bar.getByLabel('Speed').selectOption('600');
    await becomes(async () => (await simulation.get('/v1/clock')).simulation.speed, (speed) => speed === 600);
    assert.equal((await simulation.get('/v1/clock')).now, stood);
    await becomes(async () => Number(await bar.getByRole('slider').getAttribute('max')), (end) => end > 86_400 && end < 60 * 86_400,
      'it ends where the trace does');
    await bar.getByRole('slider').fill('90000');
    await bar.getByRole('slider').press('ArrowRight');
    await bar.getByText('paused').waitFor();
    await bar.getByTestId('play-time').getByText('1 d 1 h').waitFor();
    const jobs = async () => (await simulation.get('/v1/overview')).jobs; // the bar shows what was asked for before it is so
    await becomes(jobs, (later) => later.succeeded > 100);
    await bar.getByRole('slider').fill('7200');
    await bar.getByRole('slider').press('ArrowRight');
    await bar.getByTestId('play-time').getByText('2 h 0 min').waitFor();
    const earlier = await becomes(jobs, (then) => then.succeeded + then.running + then.queued === 13, 'one came every ten minutes');
    await page.locator('.tile', {hasText: 'jobs on nodes'}).getByText(String(earlier.running), {exact: true}).waitFor();
    await accessible();
    await bar.getByRole('button', {name: 'Play'}).click();
    await bar.getByText('playing').waitFor();
  });

  test('shows its fleet as a map, and names as text', async () => {
    await visit('/nodes');
    await page.getByRole('application', {name: /Map of 40 nodes/}).focus();
    await page.keyboard.press('ArrowRight');
    await page.locator('.legend output', {hasText: 'GPUs given out'}).waitFor();
    await page.locator('.grid-table.nodes [data-row]').first().waitFor();
    assert.ok((await page.locator('.grid-table.nodes [data-row]').count()) < 40, 'only rows in sight are drawn');
    await accessible();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', {level: 1}).waitFor();
    await visit('/jobs');
    await page.locator('[data-job]').getByText('<b>bold</b>').first().waitFor();
    await counts(page.locator('main b'), 0);
  });

  test('says that it cannot be changed', async () => {
    await visit('/healing');
    await page.getByRole('button', {name: 'Pause'}).click();
    await see('A simulation records no incidents');
    await counts(page.getByText('Nothing has gone wrong'), 0);
    await visit('/');
    await see('simulated GPUs do nothing that could be read');
    const {jobs} = await simulation.get('/v1/jobs?state=running&limit=1');
    await visit(`/jobs/${jobs[0].id}`);
    await see('its jobs run nothing and write nothing');
    await see('nothing in it can be changed');
    await page.getByRole('button', {name: 'Stop', exact: true, disabled: true}).waitFor();
    await visit('/decisions?kind=start');
    await page.locator('.decision').first().waitFor();
    await counts(page.getByRole('button', {name: 'Stop the job'}), 0);
    await visit('/nodes/node-0');
    await see('nothing in it can be changed');
    await counts(page.getByRole('button', {name: 'Drain'}), 0);
    await visit('/submit');
    await page.getByLabel('Command, run by /bin/sh').fill('true');
    await page.getByRole('button', {name: 'Submit', exact: true}).click();
    await page.getByText('this is a simulation').waitFor();
    await visit('/lab');
    await page.getByRole('checkbox', {name: /^sjf-easy/}).check();
    await counts(page.getByRole('button', {name: 'last week'}), 0);
    await page.getByRole('button', {name: 'Start', exact: true}).click();
    const figures = page.getByRole('region', {name: 'Figures by policy'});
    await figures.getByRole('columnheader', {name: /sjf-easy/}).waitFor();
    await figures.getByText('200 of 200').first().waitFor();
    await page.getByRole('heading', {name: /on trace\.csv on 40x8:V100/}).waitFor();
    await counts(page.getByRole('button', {name: /live policy/}), 0);
    await accessible();
  });
});
