// Starts the page. The order matters: the nonce must be in place before the editor loads.

import './nonce.js';
import { checkAudience, startBar, suggestSignIn } from './bar.js';
import { openExample, startEditor } from './editor.js';

startBar({ open: openExample });

// The editor measures its letters once, so its font has to be there first.
await Promise.allSettled([document.fonts.load('15px "Fira Code"'), document.fonts.load('15px Roboto')]);

startEditor(document.getElementById('graphiql'), {
  onExample: checkAudience,
  onUnauthenticated: suggestSignIn,
});
