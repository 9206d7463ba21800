import {configureStore} from '@reduxjs/toolkit';
import {setupListeners} from '@reduxjs/toolkit/query';
import {useDispatch, useSelector} from 'react-redux';

import {api} from './api/api';
import {linkReducer} from './api/live';

export const store = configureStore({
  reducer: {[api.reducerPath]: api.reducer, link: linkReducer},
  middleware: (standard) =>
    standard({serializableCheck: false, immutableCheck: false}).concat(api.middleware),
});

setupListeners(store.dispatch); // what is polled rests while nobody looks

export type AppDispatch = typeof store.dispatch;
type RootState = ReturnType<typeof store.getState>;
export const useAppDispatch = useDispatch.withTypes<AppDispatch>();
export const useAppSelector = useSelector.withTypes<RootState>();
