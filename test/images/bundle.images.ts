/** Hardened runs of the bundle, on a Node that is in the image. */
import { testHardened } from './hardened.ts';

testHardened('bundle');
