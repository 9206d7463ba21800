// The dashboard's policy lab, in a real browser. Run by test_pages.py, or by `node --test`.
import assert from 'node:assert/strict';
import {gzipSync} from 'node:zlib';
import {after, before, describe, test} from 'node:test';

import {Cloud} from './cloud.mjs';
import {accessible, counts, HOSTILE, page, see} from './stage.mjs';

describe('the policy lab', () => {
  let past; // without services, which cannot be played again

  before(async () => {
    past = await new Cloud().up();
  });
  after(() => past?.close());

  const visit = (path) => page.goto(`${past.url}/#${path}`);
  const own = () => page.getByLabel('Your policy as YAML');
  const begin = () => page.getByRole('button', {name: 'Start', exact: true}).click();
  const result = (id) => page.getByRole('region', {name: new RegExp(`^Run ${id}:`)});

  test('says what is wrong, plays policies, keeps and compares what comes of it', async () => {
    await past.wait(await past.run('--name', 'lab', '--', 'true'), 'succeeded');
    await visit('/');
    await page.getByTestId('link').getByText('live').waitFor();
    await page.keyboard.press('g');
    await page.keyboard.press('l');
    await see('No run yet');
    await page.getByRole('button', {name: 'Start', exact: true, disabled: true}).waitFor();
    await page.getByRole('checkbox', {name: /^one of your own/}).check();
    await own().fill('version: 1\nname: mine\norder: fastest\n');
    await begin();
    await page.getByRole('alert').getByText('expected one of').waitFor();
    await own().and(page.locator('[aria-invalid=true]')).waitFor();
    await accessible();
    await own().fill('version: 1\nname: mine\norder: sjf\nbackfill: easy\n');
    await page.getByRole('checkbox', {name: /^fifo/}).press('Space');
    await begin();
    await result(1).getByRole('columnheader', {name: /^mine/}).waitFor();
    await result(1).getByRole('columnheader', {name: /baseline/}).waitFor();
    await result(1).getByText('The model is').waitFor();
    await result(1).getByText('The policy file').click();
    await result(1).locator('pre', {hasText: 'order: sjf'}).waitFor();
    await accessible();
    await page.getByRole('checkbox', {name: /^one of your own/}).uncheck();
    await page.getByRole('button', {name: 'last day'}).click();
    await begin();
    await result(2).getByRole('columnheader', {name: /^fifo/}).waitFor();
    await page.getByRole('button', {name: 'from … to'}).click();
    await see('Say from when, until when, or both.');
    const from = await page.evaluate(() => {
      const day = new Date(Date.now() - 86_400_000);
      return new Date(day.getTime() - day.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
    });
    await page.getByLabel('From', {exact: true}).fill(from);
    await accessible();
    await begin();
    await result(3).getByRole('columnheader', {name: /^fifo/}).waitFor();
    await page.locator('[data-run="3"]').getByRole('button', {name: 'Remove'}).click();
    await page.getByRole('button', {name: 'Yes, remove run 3'}).click();
    await page.locator('[data-run="3"]').waitFor({state: 'detached'});
    await page.locator('[data-run="2"]').getByRole('button', {name: 'Run 2'}).click();
    await page.getByLabel('Compare with').selectOption('1');
    const before = (await past.get('/v1/policy')).name;
    await result(1).getByRole('button', {name: 'Make mine the live policy'}).click();
    await result(1).getByText('jobs that run go on').waitFor();
    await accessible();
    await result(1).getByRole('button', {name: 'Yes, decide by mine'}).click();
    await result(1).getByText('It decides now').waitFor();
    assert.equal((await past.get('/v1/policy')).name, 'mine');
    await visit('/admin');
    const history = page.getByRole('list', {name: 'Policies that decided'});
    await history.getByRole('listitem').nth(1).getByRole('button', {name: 'Make live again'}).click();
    await page.getByRole('button', {name: `Yes, decide by ${before}`}).click();
    await history.getByRole('listitem').nth(2).waitFor();
    assert.equal((await past.get('/v1/policy')).name, before);
    await visit('/lab?run=2&with=1');
    await result(1).getByRole('columnheader', {name: /^mine/}).waitFor();
    await counts(page.getByRole('region', {name: 'Figures by policy'}), 2);
    await page.reload();
    await result(1).getByRole('columnheader', {name: /^mine/}).waitFor();
    await page.locator('[data-run="1"]').getByRole('button', {name: 'Remove'}).click();
    await page.getByRole('button', {name: 'Yes, remove run 1'}).click();
    await page.locator('[data-run="1"]').waitFor({state: 'detached'});
    await page.locator('[data-run="2"]').waitFor();
  });

  test('plays a trace that comes with Gyre, and one of a person', async () => {
    await past.wait(await past.run('--', 'true'), 'succeeded');
    await page.goto('about:blank');
    await visit('/lab');
    await page.getByRole('checkbox', {name: /^fifo/}).check();
    await page.getByRole('checkbox', {name: /^easy/}).check();
    await page.getByRole('button', {name: 'a trace', exact: true}).click();
    await see('Choose a trace first.');
    await page.getByRole('combobox', {name: /^Trace/}).selectOption('philly-excerpt');
    await see('2,400 jobs of a Microsoft GPU cluster');
    await accessible();
    const known = (await past.get('/v1/lab/runs')).runs.length;
    await begin();
    const bundled = page.getByRole('region', {name: /on philly-excerpt.csv on 20x8:P100$/});
    await bundled.getByRole('columnheader', {name: /^fifo the baseline/}).waitFor();
    await page.getByRole('combobox', {name: /^Trace/}).selectOption('');
    await page.getByLabel(/^Trace file/).setInputFiles(
      {name: 'jobs.csv', mimeType: 'text/csv', buffer: Buffer.from('id,submit,duration,gpus\na,0,60,4\nb,1,1,many\n')});
    await see('Say on which nodes.');
    await page.getByLabel('Nodes', {exact: true}).fill('2x4:V100');
    await begin();
    await page.getByRole('alert').getByText("jobs.csv:3: column 4 ('gpus'): 'many' is not a whole number").waitFor();
    await accessible();
    await page.getByLabel(/^Trace file/).setInputFiles({name: 'jobs.csv.gz', mimeType: 'application/gzip',
      buffer: gzipSync('id,submit,duration,gpus\na,0,60,4\nb,1,1,1\n')});
    await page.getByLabel(/^or a node list/).setInputFiles(
      {name: 'nodes.csv', mimeType: 'text/csv', buffer: Buffer.from('name,gpus\na,4\nb,4\n')});
    await see('nodes.csv is read');
    await begin();
    const given = page.getByRole('region', {name: /on jobs.csv.gz on a node list$/});
    await given.getByRole('row', {name: /^Jobs/}).getByText('2 of 2').first().waitFor();
    assert.equal((await past.get('/v1/lab/runs')).runs.length, known + 2);
  });

  test('shows how far a run is, and why one failed', async () => {
    const run = (id, state, more) => ({id, state, asked_at: '2026-01-01T00:00:00Z', started_at: null, ended_at: null, since: null, trace: null,
      policies: [{name: HOSTILE, description: '', text: null}], progress: null, error: null, ...more});
    await page.route('**/v1/lab/runs', (route) => route.fulfill({json: {runs: [
      run(3, 'running', {progress: {doing: 'playing easy: 5 of 10 jobs', part: 0.5}}), run(2, 'queued'),
      run(1, 'failed', {error: 'no job has ended'})]}}));
    await page.goto('about:blank');
    await visit('/lab?run=3');
    await see('50 %: playing easy: 5 of 10 jobs');
    await page.locator('[data-run="2"]').getByRole('button', {name: 'Cancel'}).waitFor();
    await accessible();
    await page.getByRole('button', {name: 'Run 1'}).click();
    await see('no job has ended');
    await page.unroute('**/v1/lab/runs');
    await page.route('**/v1/lab/runs', (route) => route.abort());
    await page.goto('about:blank');
    await visit('/lab');
    await page.getByText('Cannot show the runs').waitFor();
    await page.unroute('**/v1/lab/runs');
    await page.getByRole('button', {name: 'Try again'}).click();
    await page.locator('[data-run="2"]').waitFor();
    assert.equal(await page.evaluate(() => window.hacked), undefined);
  });
});
