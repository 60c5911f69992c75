import { expect, test } from 'vitest'
import { releaseViolations } from './release-rules.ts'

const flow = { name: '@sluice/flow', version: '1.2.3' }
const kafka = { name: '@sluice/kafka', version: '1.2.3', dependencies: { '@sluice/flow': '1.2.3', other: '9.0.0' } }
const changelog = '# Changelog\n\n## Unreleased\n\n## 1.2.3\n\n- A line.\n'

test('a tag, versions and a changelog that agree may be released', () => {
  expect(releaseViolations('v1.2.3', [flow, kafka], changelog)).toEqual([])
})

test.each([
  ['1.2.3', [flow], 'the tag is 1.2.3, but must be v and a version, such as v1.2.3'],
  ['v1.2.3', [{ ...flow, version: '1.2.2' }], '@sluice/flow has version 1.2.2, not 1.2.3'],
  [
    'v1.2.3',
    [{ ...kafka, dependencies: { '@sluice/flow': '1.2.2' } }],
    '@sluice/kafka depends on @sluice/flow 1.2.2, not 1.2.3',
  ],
  ['v1.2.4', [], 'CHANGELOG.md has no section 1.2.4'],
])('the tag %s is refused for packages that do not fit', (tag, manifests, reason) => {
  expect(releaseViolations(tag, manifests, changelog)).toEqual([reason])
})
