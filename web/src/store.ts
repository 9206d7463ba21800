import {configureStore} from '@reduxjs/toolkit';
import {useDispatch, useSelector} from 'react-redux';

import {api} from './api/api';
import {linkReducer} from './api/live';

export const store = configureStore({
  reducer: {[api.reducerPath]: api.reducer, link: linkReducer},
  middleware: (standard) =>
    standard({serializableCheck: false, immutableCheck: false}).concat(api.middleware),
});

export type AppDispatch = typeof store.dispatch;
type RootState = ReturnType<typeof store.getState>;
export const useAppDispatch = useDispatch.withTypes<AppDispatch>();
export const useAppSelector = useSelector.withTypes<RootState>();
