/**
 * What a server gets of our environment: what programs need to run, and what Java reads. The rest may hold secrets, and
 * whatever else runs under the server's account can read a server's environment.
 */
const passed =
  /^(PATH|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|(DY)?LD_LIBRARY_PATH|JAVA_HOME|JAVA_TOOL_OPTIONS|JDK_JAVA_OPTIONS|_JAVA_OPTIONS)$/

/** The environment of a server whose home is `home`. */
export function serverEnvironment(home: string, env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return { ...Object.fromEntries(Object.entries(env).filter(([name]) => passed.test(name))), HOME: home }
}
