// Stages write messages and hash keys with these helpers, so whoever imports StageKit has them without another import or
// another product of the package. They are a module of their own because they have no notion of Sluice.
@_exported public import TextSupport
