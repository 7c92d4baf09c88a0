// What stands in a page, before the call with the settings that the server has put there: `boot`, or `leave`.
import { run } from "./page.js";

run();
export { page } from "./widget.js";
