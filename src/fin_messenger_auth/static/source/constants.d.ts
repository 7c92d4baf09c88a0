/** Whether the module is built, which renews tokens and calls an application; the snippet does neither. */
declare const IN_MODULE: boolean;
