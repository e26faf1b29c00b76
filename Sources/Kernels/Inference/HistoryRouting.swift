import CKernels

/// Dynamic routing of one history at a time (method, section 3.4), laid out for serving.
///
/// It computes the same function as ``InterestRouting`` from the votes `x_i W_p`. The newest item has the last
/// position. All positions may share one matrix.
public struct HistoryRouting: InterestExtractor {
    private let items: Matrix
    /// The matrices in the layout of `ck_pack`: one or N.
    private let weights: AlignedMemory<Float>
    private let isShared: Bool
    private let logits: Matrix

    private var interestCount: Int { logits.rows }
    private var longest: Int { logits.columns }

    /// Lays out the weights.
    ///
    /// - Parameters:
    ///   - items: Unit item rows, `[V, d]`.
    ///   - weights: One matrix `[d, K d]` per position, stacked to `[N d, K d]`, the newest item's matrix last; or
    ///     one matrix `[d, K d]` for all positions.
    ///   - logits: The initial logits of routing, `[K, N]`.
    public init(items: Matrix, weights: Matrix, logits: Matrix) {
        let d = items.columns
        precondition(
            (weights.rows == d || weights.rows == d * logits.columns) && weights.columns == d * logits.rows,
            "routing of items \(items.shape) by \(weights.shape) from logits \(logits.shape)"
        )
        self.items = items
        self.logits = logits
        isShared = weights.rows == d
        let block = Self.packedCount(d: d, outputs: weights.columns)
        self.weights = AlignedMemory(count: weights.rows / d * block)
        self.weights.withPointer { packed in
            weights.withPointer { matrices in
                for position in 0..<weights.rows / d {
                    let matrix = unsafe matrices + position * d * weights.columns
                    unsafe ck_pack(matrix, d, weights.columns, packed + position * block)
                }
            }
        }
    }

    /// The number of floats in a packed matrix.
    private static func packedCount(d: Int, outputs: Int) -> Int { d * ((outputs + 63) / 64 * 64) }

    /// Scratch memory of one call.
    public struct Scratch: Sendable {
        fileprivate let memory: AlignedMemory<Float>
    }

    /// Scratch memory for the longest history.
    public func makeScratch() -> Scratch {
        let (d, K) = (items.columns, interestCount)
        return Scratch(memory: AlignedMemory(count: longest * K * (d + 2) + K * d + 2 * longest + d))
    }

    /// Interests of one history; see ``InterestExtractor/interests(of:scratch:into:at:)``.
    ///
    /// - Complexity: O(n K d^2); reads as many weights, each once.
    public func interests(
        of history: ArraySlice<Int32>,
        scratch: inout Scratch,
        into interests: inout [Float],
        at start: Int
    ) {
        let (d, K) = (items.columns, interestCount)
        items.requireHistory(history, longest: longest, count: K * d, at: start, in: interests)
        let first = longest - history.count
        let block = isShared ? 0 : Self.packedCount(d: d, outputs: K * d)
        items.withPointer { rows in
            weights.withPointer { packed in
                logits.withPointer { logits in
                    scratch.memory.withPointer { room in
                        unsafe history.withUnsafeBufferPointer { history in
                            unsafe interests.withUnsafeMutableBufferPointer { out in
                                guard let ids = history.baseAddress, let out = out.baseAddress else { return }
                                unsafe ck_history_routing(
                                    rows,
                                    ids,
                                    history.count,
                                    packed + first * block,
                                    block,
                                    K,
                                    d,
                                    logits + first,
                                    longest,
                                    room,
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
