/**
 * The words of a command line as it is being typed, as a shell cuts them: at blanks, except in quotes and behind a
 * backslash. The last one is what stands before the cursor, perhaps nothing.
 */
export function shellWords(line: string): readonly string[] {
  const words = ['']
  let quote = ''
  for (let at = 0; at < line.length; at++) {
    const character = line[at]!
    if (character === '\\' && quote !== "'") words[words.length - 1] += line[++at] ?? ''
    else if (quote === '' && (character === '"' || character === "'")) quote = character
    else if (character === quote) quote = ''
    else if (quote === '' && /\s/.test(character)) {
      if (!/\s/.test(line[at - 1] ?? ' ')) words.push('')
    } else words[words.length - 1] += character
  }
  return words
}
