import {lazy, Suspense, useEffect, useLayoutEffect, useRef, useState} from 'react';
import {NavLink, Route, Routes, useLocation, useNavigate} from 'react-router';

import {Boundary} from './components/Boundary';
import {LinkBanner, LinkState} from './components/LinkState';
import {PlayBar} from './components/PlayBar';
import {Loading} from './components/States';
import {isTyping} from './lib/keys';
import {applyTheme, readTheme, THEMES} from './lib/theme';
import {OverviewPage} from './pages/Overview';

const JobsPage = lazy(() => import('./pages/Jobs'));
const JobPage = lazy(() => import('./pages/Job'));
const ServicesPage = lazy(() => import('./pages/Services'));
const ServicePage = lazy(() => import('./pages/Service'));
const SubmitPage = lazy(() => import('./pages/Submit'));
const QueuesPage = lazy(() => import('./pages/Queues'));
const NodesPage = lazy(() => import('./pages/Nodes'));
const NodePage = lazy(() => import('./pages/Node'));
const EfficiencyPage = lazy(() => import('./pages/Efficiency'));
const CostsPage = lazy(() => import('./pages/Costs'));
const DecisionsPage = lazy(() => import('./pages/Decisions'));
const HealingPage = lazy(() => import('./pages/Healing'));
const AdminPage = lazy(() => import('./pages/Admin'));
const LabPage = lazy(() => import('./pages/Lab'));

// "g" and then the letter goes there.
const PLACES = [
  {to: '/', label: 'Overview', key: 'o'},
  {to: '/jobs', label: 'Jobs', key: 'j'},
  {to: '/services', label: 'Services', key: 'v'},
  {to: '/submit', label: 'Submit', key: 's'},
  {to: '/queues', label: 'Queues', key: 'q'},
  {to: '/nodes', label: 'Nodes & GPUs', key: 'n'},
  {to: '/efficiency', label: 'Efficiency', key: 'e'},
  {to: '/costs', label: 'Costs', key: 'c'},
  {to: '/decisions', label: 'Decisions', key: 'd'},
  {to: '/healing', label: 'Healing', key: 'h'},
  {to: '/lab', label: 'Policy lab', key: 'l'},
  {to: '/admin', label: 'Admin', key: 'a'},
];

function useGoKeys(): void {
  const navigate = useNavigate();
  useEffect(() => {
    let armed = 0;
    const onKey = (event: KeyboardEvent) => {
      if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === 'g') {
        armed = performance.now();
        return;
      }
      const place = PLACES.find(({key}) => key === event.key);
      if (place && performance.now() - armed < 1500) {
        event.preventDefault();
        navigate(place.to);
      }
      armed = 0;
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [navigate]);
}

/** A new page begins at its top, and a screen reader hears of it. */
function useArrival(): React.RefObject<HTMLElement | null> {
  const {pathname} = useLocation();
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  useLayoutEffect(() => { // before anybody can have chosen something on it
    if (first.current) first.current = false;
    else {
      main.current?.focus({preventScroll: true});
      window.scrollTo(0, 0);
    }
  }, [pathname]);
  return main;
}

function ThemeChoice() {
  const [theme, setTheme] = useState(readTheme);
  return (
    <label className="theme">
      <span className="hidden">Colours</span>
      <select
        value={theme}
        onChange={(event) => {
          const chosen = THEMES.find((one) => one === event.target.value) ?? 'system';
          applyTheme(chosen);
          setTheme(chosen);
        }}
      >
        <option value="system">system colours</option>
        <option value="light">light</option>
        <option value="dark">dark</option>
      </select>
    </label>
  );
}

export function App() {
  useGoKeys();
  const main = useArrival();
  const {pathname} = useLocation();
  return (
    <>
      <a className="skip" href="#main" onClick={(event) => { event.preventDefault(); main.current?.focus(); }}>
        Skip to the page
      </a>
      <header className="top">
        <NavLink to="/" className="brand">
          <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
            <path d="M26 9A12 12 0 1 0 28 18H17" fill="none" stroke="currentColor" strokeWidth="5" />
          </svg>
          Gyre
        </NavLink>
        <nav aria-label="Pages">
          {PLACES.map(({to, label, key}) => (
            <NavLink key={to} to={to} end={to === '/'} title={`g then ${key}`}>
              {label}
            </NavLink>
          ))}
        </nav>
        <span className="grow" />
        <LinkState />
        <ThemeChoice />
      </header>
      <LinkBanner />
      <PlayBar />
      <main id="main" ref={main} tabIndex={-1}>
        <Boundary key={pathname}><Suspense fallback={<Loading what="the page" />}>
          <Routes>
            <Route path="/" element={<OverviewPage />} />
            <Route path="/jobs" element={<JobsPage />} />
            <Route path="/jobs/:id" element={<JobPage />} />
            <Route path="/services" element={<ServicesPage />} />
            <Route path="/services/:name" element={<ServicePage />} />
            <Route path="/submit" element={<SubmitPage />} />
            <Route path="/queues" element={<QueuesPage />} />
            <Route path="/nodes" element={<NodesPage />} />
            <Route path="/nodes/:name" element={<NodePage />} />
            <Route path="/efficiency" element={<EfficiencyPage />} />
            <Route path="/costs" element={<CostsPage />} />
            <Route path="/decisions" element={<DecisionsPage />} />
            <Route path="/healing" element={<HealingPage />} />
            <Route path="/lab" element={<LabPage />} />
            <Route path="/admin" element={<AdminPage />} />
            <Route path="*" element={<Nowhere />} />
          </Routes>
        </Suspense></Boundary>
      </main>
    </>
  );
}

function Nowhere() {
  return (
    <div className="empty">
      <h1>There is no such page</h1>
      <p><NavLink to="/">Back to the overview</NavLink></p>
    </div>
  );
}
