/// Why an index cannot be built, changed or loaded.
public enum IndexError: Error, Equatable, CustomStringConvertible {
    /// An item's vector holds NaN or an infinity.
    case notFinite(item: Int)
    /// An item's vector has length zero, so it has no direction.
    case zeroVector(item: Int)
    /// An item's vector is not of length one.
    case notUnit(item: Int, length: Float)
    /// More items than item numbers.
    case tooManyItems(Int)
    /// The saved index is of another number of items than there are vectors.
    case countMismatch(index: Int, vectors: Int)
    /// The saved index is of vectors of another length.
    case dimensionMismatch(index: Int, vectors: Int)
    /// A changed item's vector has another length than the index's.
    case wrongLength(item: Int, length: Int, dimension: Int)
    /// No such item can be found: it never was, or it was removed.
    case unknownItem(Int)
    /// The bytes are no saved index.
    case notAnIndex
    /// The saved form is of another version of the format.
    case unsupportedFormat(found: Int, supported: Int)
    /// The saved form contradicts itself.
    case damaged(String)
    /// A value of the configuration is out of range.
    case invalidConfiguration(key: String, value: String, allowed: String)

    /// What is wrong, where, and what to do.
    public var description: String {
        switch self {
        case .notFinite(let item):
            "The vector of item \(item) is not finite. The model that made it is broken; train it again."
        case .zeroVector(let item):
            "The vector of item \(item) is zero, so no query finds it. Leave the item out or give it a vector."
        case .notUnit(let item, let length):
            "The vector of item \(item) has length \(length) instead of 1. Normalise the rows first."
        case .tooManyItems(let count):
            "\(count) items are more than the \(Int32.max) that item numbers reach. Split the catalogue."
        case .countMismatch(let index, let vectors):
            "The index is of \(index) items, but there are \(vectors) vectors. Load it with its own checkpoint's vectors."
        case .dimensionMismatch(let index, let vectors):
            "The index is of dimension \(index), the vectors have \(vectors). Load it with its own checkpoint's vectors."
        case .wrongLength(let item, let length, let dimension):
            "The vector of item \(item) has \(length) elements, those of the index have \(dimension). Make it with the model "
                + "that the index is of."
        case .unknownItem(let item):
            "Item \(item) is not in the index: it was never added, or it was removed. Add it as a new item."
        case .notAnIndex:
            "The bytes are no saved index. Build the index again."
        case .unsupportedFormat(let found, let supported):
            "The index is saved in format \(found), this program reads \(supported). Build the index again."
        case .damaged(let what):
            "The saved index is damaged: \(what). Build the index again."
        case .invalidConfiguration(let key, let value, let allowed):
            "\(key) is \(value); allowed is \(allowed)."
        }
    }
}
