import CKernels

/// Classes that all rows of a batch share, packed for ``SharedSoftmax``: a pool of sampled negatives or a catalogue.
///
/// Pack them once for each step; then any number of threads can use them. Memory: `4 M d` bytes in both precisions,
/// with `d` rounded up to 16, or to 32 for the matrix unit.
public struct PackedClasses: Sendable {
    /// The number of classes, `M`.
    public let count: Int
    /// The length of a class vector, `d`.
    public let dimension: Int
    /// The arithmetic of the products; ``Precision/float32`` if the CPU has no bfloat16 products.
    public let precision: Precision

    private let rows: AlignedMemory<Float>
    private let pairs: AlignedMemory<UInt32>
    private let crosses: AlignedMemory<UInt32>
    private let offsets: AlignedMemory<Float>
    private let stride: Int
    private let longest: Float
    private let highestOffset: Float
    private let level: Int32

    /// Packs classes.
    ///
    /// - Parameters:
    ///   - classes: The class vectors `[M, d]`, finite, already normalised or scaled.
    ///   - offsets: Added to the classes' logits, M finite values in nats, such as the logQ correction; nil for none.
    ///   - precision: The arithmetic of the products.
    /// - Complexity: O(M d).
    public init(_ classes: Matrix, offsets: [Float]? = nil, precision: Precision = .float32) {
        self.init(classes, offsets: offsets, precision: precision, level: .max)
    }

    /// The same; `level` limits the instruction set, as `CK_SHARED_BASELINE` and so on.
    package init(_ classes: Matrix, offsets: [Float]?, precision: Precision, level: Int) {
        precondition(
            offsets.map { $0.count == classes.rows } ?? true,
            "\(offsets?.count ?? 0) offsets for classes \(classes.shape)"
        )
        let best = Int32(min(SharedSoftmax.level, level))
        let isHalved = precision == .bfloat16 && best >= Int32(CK_SHARED_BF16)
        count = classes.rows
        dimension = classes.columns
        self.precision = isHalved ? .bfloat16 : .float32
        self.level = isHalved ? best : min(best, Int32(CK_SHARED_V4))
        stride = ck_class_stride(classes.columns, self.level)
        let padded = (count + 31) / 32 * 32
        rows = AlignedMemory(count: isHalved ? 0 : count * stride)
        pairs = AlignedMemory(count: isHalved ? padded * stride / 2 : 0)
        crosses = AlignedMemory(count: isHalved ? padded * stride / 2 : 0)
        let (rows, pairs, crosses, count, dimension, packedLevel) = (rows, pairs, crosses, count, dimension, self.level)
        longest = classes.withPointer { source in
            if isHalved {
                pairs.withPointer { pairs in
                    crosses.withPointer { crosses in
                        unsafe ck_pack_bfloat_classes(source, count, dimension, packedLevel, pairs, crosses)
                    }
                }
            } else {
                rows.withPointer { unsafe ck_pack_float_classes(source, count, dimension, $0) }
            }
        }
        let bits = offsets?.map { $0 * SharedSoftmax.bitsPerNat }
        self.offsets = bits.map { AlignedMemory($0) } ?? AlignedMemory(count: count)
        highestOffset = bits?.max() ?? 0
    }

    /// Gives the kernel access.
    @safe fileprivate func withClasses<Result>(_ body: (ck_shared_classes, Int32) -> Result) -> Result {
        rows.withPointer { rows in
            pairs.withPointer { pairs in
                crosses.withPointer { crosses in
                    offsets.withPointer { offsets in
                        let classes = unsafe ck_shared_classes(
                            rows: rows,
                            pairs: pairs,
                            crosses: crosses,
                            offsets: offsets,
                            count: count,
                            d: dimension,
                            stride: stride,
                            longest: longest,
                            highest_offset: highestOffset
                        )
                        return unsafe body(classes, level)
                    }
                }
            }
        }
    }
}

/// Softmax cross-entropy of one positive per row against classes that all rows share, with its gradients in one pass.
///
/// For a row `q` with positive logit `p`: `loss = -log( e^p / (e^p + sum_j e^{<q, c_j> + o_j}) )`, over the classes `j`
/// that the row does not mask. Derivatives of `weight * loss`: `-weight (1 - p_+)` by `p`, `weight sum_j p_j c_j` by
/// `q`, `weight p_j q` by `c_j`, with the softmax probabilities `p_+` and `p_j`.
///
/// There is no matrix of all logits: 64 rows at a time (128 in bfloat16) visit the classes, and their exponentials,
/// 256 bytes for each class, stay until the gradients are done. They are shifted by an upper bound on the row's
/// logits, `|q| max |c_j| + max o_j`, which saves a search for the maximum (Cauchy and Schwarz). A row whose logits
/// are more than 55 nats below this bound is computed again with its maximum. Every sum has a fixed order, so results
/// repeat exactly on CPUs of the same level; a row's loss and gradient do not depend on the other rows.
///
/// In ``Precision/bfloat16``, queries, classes and probabilities are rounded; exponentials and sums are Float32 always.
/// So a logit is off by at most `|q| |c| / 256`, and usually by `|q| |c| / (600 sqrt(d))`.
public enum SharedSoftmax {
    /// Losses and gradients of rows.
    public struct Gradients: Sendable {
        /// The loss of each row in nats, without its weight.
        public var losses: [Float]
        /// The derivative of `weight * loss` by each row's positive logit.
        public var positives: [Float]
        /// The derivative of `weight * loss` by each query, `[R, d]`.
        public var queries: Matrix
    }

    /// The best instruction set of this CPU, as `CK_SHARED_BASELINE` and so on.
    package static var level: Int { Int(ck_shared_softmax_level()) }

    /// Bits in a nat, the kernel's unit of logits.
    static let bitsPerNat: Float = 1.442_695_04

    /// Losses and gradients in one pass.
    ///
    /// - Parameters:
    ///   - queries: The rows `[R, d]`, finite, already scaled.
    ///   - positives: The positives' logits, R values in nats. Corrections of the positive are the caller's.
    ///   - weights: The weight of each row in the gradients, R values.
    ///   - masked: For each row the classes to ignore, such as the positive itself; repeats are allowed. Nil for none.
    ///   - classes: The packed classes.
    ///   - classGradients: The derivatives of `sum_r weight_r * loss_r` by the classes are added to it, `[M, d]`.
    /// - Returns: Losses, and gradients by positives and queries.
    /// - Complexity: O(R M d) time, one thread; about `260 M` bytes of memory besides the results.
    public static func apply(
        queries: Matrix,
        positives: [Float],
        weights: [Float],
        masked: RaggedRows? = nil,
        classes: PackedClasses,
        addingTo classGradients: inout Matrix
    ) -> Gradients {
        precondition(
            classGradients.rows == classes.count && classGradients.columns == classes.dimension,
            "gradients \(classGradients.shape) for classes [\(classes.count), \(classes.dimension)]"
        )
        var positiveGradients = [Float](repeating: 0, count: queries.rows)
        var losses: [Float] = []
        let queryGradients = Matrix(rows: queries.rows, columns: queries.columns) { queryGradients in
            classGradients.withMutablePointer { classGradients in
                unsafe positiveGradients.withUnsafeMutableBufferPointer {
                    losses = unsafe run(
                        queries: queries,
                        positives: positives,
                        weights: weights,
                        masked: masked,
                        classes: classes,
                        gradients: ($0.baseAddress, queryGradients, classGradients)
                    )
                }
            }
        }
        return Gradients(losses: losses, positives: positiveGradients, queries: queryGradients)
    }

    /// Only the losses, R values in nats; a third of the work.
    ///
    /// - Parameters:
    ///   - queries: The rows `[R, d]`, finite, already scaled.
    ///   - positives: The positives' logits, R values in nats.
    ///   - masked: For each row the classes to ignore; nil for none.
    ///   - classes: The packed classes.
    /// - Returns: The same values as ``apply(queries:positives:weights:masked:classes:addingTo:)``.
    public static func losses(
        queries: Matrix,
        positives: [Float],
        masked: RaggedRows? = nil,
        classes: PackedClasses
    ) -> [Float] {
        unsafe run(
            queries: queries,
            positives: positives,
            weights: [Float](repeating: 1, count: queries.rows),
            masked: masked,
            classes: classes,
            gradients: (nil, nil, nil)
        )
    }

    private typealias Output = UnsafeMutablePointer<Float>?

    private static func run(
        queries: Matrix,
        positives: [Float],
        weights: [Float],
        masked: RaggedRows?,
        classes: PackedClasses,
        gradients: (positives: Output, queries: Output, classes: Output)
    ) -> [Float] {
        let rows = queries.rows
        precondition(
            queries.columns == classes.dimension && positives.count == rows && weights.count == rows,
            "\(positives.count) positives and \(weights.count) weights for queries \(queries.shape), \(classes.dimension)"
        )
        if let masked {
            precondition(masked.count == rows, "\(masked.count) masks for \(rows) rows")
            precondition(
                masked.ids.allSatisfy { $0 >= 0 && Int($0) < classes.count },
                "a masked class is outside 0..<\(classes.count)"
            )
        }
        let (ids, starts) = (masked?.ids ?? [], masked?.offsets ?? [])
        var losses = [Float](repeating: 0, count: rows)
        unsafe losses.withUnsafeMutableBufferPointer { losses in
            queries.withPointer { query in
                unsafe positives.withUnsafeBufferPointer { positives in
                    unsafe weights.withUnsafeBufferPointer { weights in
                        unsafe ids.withUnsafeBufferPointer { ids in
                            unsafe starts.withUnsafeBufferPointer { starts in
                                var batch = unsafe ck_shared_queries(
                                    queries: query,
                                    positives: positives.baseAddress,
                                    weights: weights.baseAddress,
                                    masked: ids.isEmpty ? nil : ids.baseAddress,
                                    mask_starts: starts.baseAddress,
                                    count: rows,
                                    losses: losses.baseAddress,
                                    positive_gradients: gradients.positives,
                                    query_gradients: gradients.queries,
                                    class_gradients: gradients.classes
                                )
                                unsafe run(&batch, classes)
                            }
                        }
                    }
                }
            }
        }
        return losses
    }

    private static func run(_ batch: inout ck_shared_queries, _ classes: PackedClasses) {
        classes.withClasses { packed, level in
            var packed = unsafe packed
            let bytes = unsafe ck_shared_softmax_scratch(&packed, &batch, level)
            unsafe withUnsafeTemporaryAllocation(byteCount: bytes, alignment: 64) {
                unsafe ck_shared_softmax(&packed, &batch, level, $0.baseAddress)
            }
        }
    }
}
