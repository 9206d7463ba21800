import react from '@vitejs/plugin-react';
import {defineConfig} from 'vitest/config';

// The build is committed, so it must come out the same everywhere: no source maps, no dates, names by content.
export default defineConfig({
  plugins: [react()],
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: {polyfill: false},
    reportCompressedSize: false,
  },
  server: {proxy: {'/v1': 'http://127.0.0.1:8642', '/readyz': 'http://127.0.0.1:8642'}},
  test: {include: ['src/**/*.test.ts']},
});
