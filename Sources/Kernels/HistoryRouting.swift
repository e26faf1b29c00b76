import CKernels

/// Dynamic routing of one history at a time (method, section 3.4), laid out for serving.
///
/// It computes what ``InterestRouting`` does of votes `x_i W_p`, where the newest item has the last position.
public struct HistoryRouting: InterestExtractor {
    private let items: Matrix
    /// The positions' matrices as `ck_pack` lays them out.
    private let weights: AlignedMemory<Float>
    private let interestCount: Int
    private let longest: Int

    /// Lays out the weights.
    ///
    /// - Parameters:
    ///   - items: Unit item rows, `[V, d]`.
    ///   - weights: A matrix `[d, K d]` of every position, one below the other, `[N d, K d]`; the newest item's is the last.
    public init(items: Matrix, weights: Matrix) {
        let d = items.columns
        precondition(
            weights.rows % d == 0 && weights.columns % d == 0,
            "routing of items \(items.shape) by \(weights.shape)"
        )
        self.items = items
        interestCount = weights.columns / d
        longest = weights.rows / d
        let block = Self.packedCount(d: d, outputs: weights.columns)
        self.weights = AlignedMemory(count: longest * block)
        self.weights.withPointer { packed in
            weights.withPointer { matrices in
                for position in 0..<weights.rows / d {
                    let matrix = unsafe matrices + position * d * weights.columns
                    unsafe ck_pack(matrix, d, weights.columns, packed + position * block)
                }
            }
        }
    }

    /// Floats of a packed matrix.
    private static func packedCount(d: Int, outputs: Int) -> Int { d * ((outputs + 63) / 64 * 64) }

    /// Room of one call.
    public struct Scratch: Sendable {
        fileprivate let memory: AlignedMemory<Float>
    }

    /// Room for the longest history.
    public func makeScratch() -> Scratch {
        let (d, K) = (items.columns, interestCount)
        return Scratch(memory: AlignedMemory(count: longest * K * (d + 2) + K * d + 2 * longest + d))
    }

    /// Interests of one history; see ``InterestExtractor/interests(of:scratch:into:at:)``.
    ///
    /// - Complexity: O(n K d^2), reading as many weights once.
    public func interests(
        of history: ArraySlice<Int32>,
        scratch: inout Scratch,
        into interests: inout [Float],
        at start: Int
    ) {
        let (d, K) = (items.columns, interestCount)
        items.requireHistory(history, longest: longest, count: K * d, at: start, in: interests)
        let first = (longest - history.count) * Self.packedCount(d: d, outputs: K * d)
        items.withPointer { rows in
            weights.withPointer { packed in
                scratch.memory.withPointer { room in
                    unsafe history.withUnsafeBufferPointer { history in
                        unsafe interests.withUnsafeMutableBufferPointer { out in
                            guard let ids = history.baseAddress, let out = out.baseAddress else { return }
                            unsafe ck_history_routing(
                                rows,
                                ids,
                                history.count,
                                packed + first,
                                K,
                                d,
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
