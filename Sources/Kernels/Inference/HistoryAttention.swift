import CKernels

/// The self-attentive read-out of one history at a time (method, equations 16 and 17), laid out for serving.
///
/// It computes the same function as ``AdditiveAttention``, from the same four tables. Because
/// `tanh(z + q) = 1 - 2 / (exp(2 z) exp(2 q) + 1)`, the hidden layer of an item at a position needs no matrix product
/// and no exponential once the item's *key* `exp(2 z)` is known. The keys of all items are stored if they fit the given
/// memory. Otherwise they are computed for each history; the result has the same bytes. A `z` or `q` beyond 43 in
/// magnitude counts as 43; in trained models both are a few units at most.
public struct HistoryAttention: InterestExtractor {
    private let items: Matrix
    private let projection: DenseLayer
    /// `exp(2 q)`, shape `[N, stride]`.
    private let positions: AlignedMemory<Float>
    /// Shape `[heads rounded up to 4, stride]`.
    private let heads: AlignedMemory<Float>
    /// The items' keys, shape `[V, stride]`, or nil.
    private let keys: AlignedMemory<Float>?
    private let headCount: Int
    private let positionCount: Int
    private let countsFromNewest: Bool
    private let stride: Int

    /// Lays out the tables.
    ///
    /// - Parameters:
    ///   - items: Unit item rows, `[V, d]`.
    ///   - projection: `W1`, `[d, a]`.
    ///   - position: The projected positional table with the bias, `[N, a]`.
    ///   - heads: One row of weights per head, `[K, a]`.
    ///   - countsFromNewest: Whether the newest item has the last position; otherwise the oldest item has the first.
    ///   - keyBytes: The memory limit of the items' keys. They need `V * a * 4` bytes, with `a` rounded up to 16.
    /// - Complexity: O(V * d * a) when the keys fit.
    public init(
        items: Matrix,
        projection: Matrix,
        position: Matrix,
        heads: Matrix,
        countsFromNewest: Bool,
        keyBytes: Int
    ) {
        let a = projection.columns
        precondition(
            projection.rows == items.columns && position.columns == a && heads.columns == a && heads.rows > 0,
            "attention: items \(items.shape), projection \(projection.shape), position \(position.shape), "
                + "heads \(heads.shape)"
        )
        self.items = items
        self.projection = DenseLayer(weights: projection)
        headCount = heads.rows
        positionCount = position.rows
        self.countsFromNewest = countsFromNewest
        stride = (a + 15) / 16 * 16
        var doubled = position
        doubled.scale(by: 2)
        positions = Self.padded(doubled.exponentials(), rows: position.rows, columns: stride, with: 1)
        self.heads = Self.padded(heads, rows: (heads.rows + 3) / 4 * 4, columns: stride, with: 0)
        guard items.rows * stride * MemoryLayout<Float>.stride <= keyBytes else {
            keys = nil
            return
        }
        let keys = AlignedMemory<Float>(count: items.rows * stride)
        var scratch = [Float](repeating: 0, count: 5 * a)
        let (layer, stride) = (self.projection, stride)
        keys.withPointer { keys in
            items.withPointer { rows in
                layer.packed.withPointer {
                    unsafe ck_attention_keys(rows, nil, items.rows, $0, a, items.columns, stride, &scratch, keys)
                }
            }
        }
        self.keys = keys
    }

    /// Empty scratch memory, which grows with the histories.
    public func makeScratch() -> Scratch { Scratch() }

    /// Interests of one history; see ``InterestExtractor/interests(of:scratch:into:at:)``.
    ///
    /// - Complexity: O(n a) with stored keys, else O(n d a).
    public func interests(
        of history: ArraySlice<Int32>,
        scratch: inout Scratch,
        into interests: inout [Float],
        at start: Int
    ) {
        let count = headCount * items.columns
        items.requireHistory(history, longest: positionCount, count: count, at: start, in: interests)
        let firstPosition = countsFromNewest ? positionCount - history.count : 0
        scratch.reserve(
            weights: (headCount + 3) / 4 * 4 * history.count,
            keys: keys == nil ? history.count * stride : 0,
            hidden: 5 * projection.outputs
        )
        if keys == nil { computeKeys(of: history, scratch) }
        attend(history, firstPosition, keys ?? scratch.keys, scratch, into: &interests, at: start)
    }

    private func computeKeys(of history: ArraySlice<Int32>, _ scratch: Scratch) {
        let (d, a) = (items.columns, projection.outputs)
        items.withPointer { rows in
            projection.packed.withPointer { w1 in
                scratch.hidden.withPointer { hidden in
                    scratch.keys.withPointer { keys in
                        unsafe history.withUnsafeBufferPointer {
                            guard let ids = $0.baseAddress else { return }
                            unsafe ck_attention_keys(rows, ids, history.count, w1, a, d, stride, hidden, keys)
                        }
                    }
                }
            }
        }
    }

    private func attend(
        _ history: ArraySlice<Int32>,
        _ firstPosition: Int,
        _ keys: AlignedMemory<Float>,
        _ scratch: Scratch,
        into interests: inout [Float],
        at start: Int
    ) {
        items.withPointer { rows in
            keys.withPointer { keyRows in
                positions.withPointer { positionRows in
                    heads.withPointer { headRows in
                        scratch.weights.withPointer { weights in
                            unsafe history.withUnsafeBufferPointer { history in
                                unsafe interests.withUnsafeMutableBufferPointer { out in
                                    guard let ids = history.baseAddress, let out = out.baseAddress else { return }
                                    unsafe ck_history_attention(
                                        rows,
                                        ids,
                                        history.count,
                                        keyRows,
                                        self.keys == nil ? 1 : 0,
                                        positionRows + firstPosition * stride,
                                        headRows,
                                        headCount,
                                        stride,
                                        items.columns,
                                        weights,
                                        out + start
                                    )
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// Scratch memory of one call.
    public struct Scratch: Sendable {
        fileprivate var weights = AlignedMemory<Float>(count: 0)
        fileprivate var keys = AlignedMemory<Float>(count: 0)
        fileprivate var hidden = AlignedMemory<Float>(count: 0)

        fileprivate init() {}

        fileprivate mutating func reserve(weights: Int, keys: Int, hidden: Int) {
            if self.weights.count < weights { self.weights = AlignedMemory(count: weights) }
            if self.keys.count < keys { self.keys = AlignedMemory(count: keys) }
            if self.hidden.count < hidden { self.hidden = AlignedMemory(count: hidden) }
        }
    }

    private static func padded(_ matrix: Matrix, rows: Int, columns: Int, with value: Float) -> AlignedMemory<Float> {
        var elements: [Float] = []
        elements.reserveCapacity(rows * columns)
        for row in 0..<rows {
            let own = row < matrix.rows ? matrix.row(row) : []
            elements += own + [Float](repeating: value, count: columns - own.count)
        }
        return AlignedMemory(elements)
    }
}
