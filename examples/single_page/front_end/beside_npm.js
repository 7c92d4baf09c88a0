import * as api from "@intercom/messenger-js-sdk";
import { run } from "./application.js";

run({ api });
