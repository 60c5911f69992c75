// Set-up of the unit tests. fast-check keeps what it makes short by default, however much a test allows: a history of
// "up to 60 steps" would never have more than ten.
import fc from 'fast-check'

fc.configureGlobal({ defaultSizeToMaxWhenMaxSpecified: true })
