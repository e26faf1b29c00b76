/// The reasons why an index cannot be built, changed or loaded.
public enum IndexError: Error, Equatable, CustomStringConvertible {
    /// An item's vector holds NaN or an infinity.
    case notFinite(item: Int)
    /// An item's vector has length zero, so it has no direction.
    case zeroVector(item: Int)
    /// An item's vector does not have length one.
    case notUnit(item: Int, length: Float)
    /// There are more items than item numbers.
    case tooManyItems(Int)
    /// The saved index has another number of items than there are vectors.
    case countMismatch(index: Int, vectors: Int)
    /// The saved index has another dimension than the vectors.
    case dimensionMismatch(index: Int, vectors: Int)
    /// A changed item's vector has another dimension than the index.
    case wrongLength(item: Int, length: Int, dimension: Int)
    /// The item is not in the index: it was never added, or it was removed.
    case unknownItem(Int)
    /// The bytes are not a saved index.
    case notAnIndex
    /// The index is saved in an unsupported version of the format.
    case unsupportedFormat(found: Int, supported: Int)
    /// The saved index is inconsistent.
    case damaged(String)
    /// A value of the configuration is out of range.
    case invalidConfiguration(key: String, value: String, allowed: String)

    /// The problem, its place, and the next step.
    public var description: String {
        switch self {
        case .notFinite(let item):
            "The vector of item \(item) is not finite: its model is broken. Train the model again."
        case .zeroVector(let item):
            "The vector of item \(item) is zero, so no query finds it. Leave the item out or give it a vector."
        case .notUnit(let item, let length):
            "The vector of item \(item) has length \(length) instead of 1. Normalise the rows first."
        case .tooManyItems(let count):
            "The catalogue has \(count) items; an index holds at most \(Int32.max). Split the catalogue."
        case .countMismatch(let index, let vectors):
            "The index has \(index) items, but there are \(vectors) vectors. Load it with its checkpoint's vectors."
        case .dimensionMismatch(let index, let vectors):
            "The index has dimension \(index), but the vectors have \(vectors). Load it with its checkpoint's vectors."
        case .wrongLength(let item, let length, let dimension):
            "The vector of item \(item) has \(length) elements; the index needs \(dimension). Compute the vector with "
                + "the model of the index."
        case .unknownItem(let item):
            "Item \(item) is not in the index: it was never added, or it was removed. Add it as a new item."
        case .notAnIndex:
            "The bytes are not a saved index. Build the index again."
        case .unsupportedFormat(let found, let supported):
            "The index is saved in format \(found); this program reads format \(supported). Build the index again."
        case .damaged(let what):
            "The saved index is damaged: \(what). Build the index again."
        case .invalidConfiguration(let key, let value, let allowed):
            "\(key) is \(value); the allowed range is \(allowed)."
        }
    }
}
