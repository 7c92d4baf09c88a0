import { run } from "./application.js";

run();
