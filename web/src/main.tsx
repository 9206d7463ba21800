import {StrictMode} from 'react';
import {createRoot} from 'react-dom/client';
import {Provider} from 'react-redux';
import {HashRouter} from 'react-router';

import {Live} from './api/live';
import {App} from './App';
import {applyTheme, readTheme} from './lib/theme';
import {store} from './store';
import './styles.css';

applyTheme(readTheme());
new Live(store.dispatch).start();
createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <Provider store={store}>
      <HashRouter>
        <App />
      </HashRouter>
    </Provider>
  </StrictMode>,
);
