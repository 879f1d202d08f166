// The page without a server: the same functions as the server's page, its components in a store, its races from files.

import "../page/main.js";
import "../lesson/contents/contents.js";
import "../lesson/example/example.js";
import "../lesson/exports/exports.js";
import "../lesson/journey/journey.js";
import "../lesson/link/link.js";
import "../lesson/perceived/perceived.js";
import "../lesson/teach/teach.js";
import { mountAll } from "./store.js";
import { bindPage, triggers } from "./page.js";

mountAll(triggers);
queueMicrotask(bindPage); // after the mounts, which are deferred
