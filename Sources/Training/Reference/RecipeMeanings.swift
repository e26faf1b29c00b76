extension RecipeReference {
    /// Meaning and effect of each field by its path; a path behind the name of a system counts before the path alone.
    package static let meanings: [String: String] = common.merging(dimeRec) { $1 }.merging(others) { $1 }

    /// Fields of every recipe, and model fields that several systems share.
    private static let common: [String: String] = [
        "training.batchSize":
            "targets of one optimiser step. Causal encoders (GRU4Rec, NARM, SASRec, HSTU) learn whole windows; a step takes "
            + "as many as have about this many targets in all",
        "training.historyDropout":
            "probability of dropping each item of a history during training. Reduces overfitting to long "
            + "histories",
        "training.learningRate": "Adam's learning rate",
        "training.schedule":
            "learning-rate schedule; `cosine` and `trapezoidal` lower the rate to 0 at the end of the run, whether "
            + "steps or a time limit end it",
        "training.decayShare": "share of the run over which `trapezoidal` lowers the learning rate",
        "training.warmupSteps": "steps over which the learning rate rises from 0",
        "training.beta1": "Adam's decay of the first moment",
        "training.beta2": "Adam's decay of the second moment",
        "training.epsilon": "Adam's epsilon",
        "training.tableUpdate":
            "`lazy` updates only the item rows of the batch, in time proportional to the batch. `dense` "
            + "updates all rows, like the published Adam",
        "training.itemStart":
            "the item rows of a fresh model: `neighbours` places each item close to the items that occur near it in the "
            + "log, `random` draws every row. `neighbours` needs the memory of four whole tables at the start, also with "
            + "`--divide-items`",
        "training.maxSteps": "largest number of steps, unless the command gives a limit of steps or seconds",
        "training.validateEvery":
            "steps between validations; without effect in a run with a time limit, which chooses the interval itself",
        "training.patience":
            "validations in a row without a better HR@20 after which the training ends early. With `trapezoidal` the learning "
            + "rate first falls to 0, from the best weights on: see <doc:TrainingRun>",
        "training.refit":
            "lets the version learn from the validation part too, at the end: see <doc:TrainingRun>",
        "training.negatives.kind":
            "`pool`: one uniform pool for the batch. `mixed`: one pool with all frequent items and a sample "
            + "of the others by frequency. `private`: a "
            + "few for each row, never an item of the user. `catalogue`: every item. `auto`: every item of a small "
            + "catalogue, otherwise `mixed`, with the correction",
        "training.negatives.count": "size of the pool, or negatives of each row",
        "training.negatives.maskUserItems":
            "leaves the user's own items out of the pool or the catalogue. On MovieLens 1M false is better: "
            + "see <doc:MovieLens1M>",
        "training.negatives.logQ":
            "`one-sided` adds `-log(count q)` to the logits of the negatives, with q the probability that the item is drawn, "
            + "so that the loss estimates the full softmax",
        "training.precision":
            "arithmetic of dense layers and of the softmax over shared negatives. `bfloat16` is faster where the CPU has such products, "
            + "and float32 elsewhere; sums, weights and Adam are always float32",
        "data.split": "how one events file becomes three parts",
        "data.splitSeed": "seed of the split by users",
        "data.evaluation": "the prefixes of a validation sequence that become rows",
        "data.validationRows": "largest number of rows; if there are more, evenly spaced ones are used",
        "data.targets.weights":
            "loss weight by kind of event, such as `view=1,buy=5`; every kind in the log needs one, and 0 makes it no "
            + "target. Empty: 1. See <doc:WeightEvents>",
        "data.targets.events":
            "kinds of events that are targets, such as `buy`; histories keep all events. Empty: all kinds",
        "data.targets.minRating": "lowest rating of a target; 0 needs no column of ratings",
        "data.targets.weightColumn": "column with a weight for each event; empty for none",
        "data.targets.dropUsers": "ids of users whose events are left out, such as `null,guest`",
        "data.targets.dropSharedUsers":
            "leaves out the events of a user who is probably many visitors: at least 500 events, more than a tenth of all, "
            + "and more than ten times as many as any of at least 100 others. See <doc:InspectALog>",
        "counts.enabled":
            "adds scores from counts of the training part (transitions, neighbours, repeats) to the system's own, with "
            + "weights fitted on validation rows. For systems with item vectors; see <doc:CountScores>",
        "counts.followers": "followers kept for each item: items that came directly after it",
        "counts.neighbours": "neighbours kept for each item: items that occur near it",
        "counts.popular": "how many of the most frequent items get a term for their popularity",
        "index.kind": "`auto` scores every item below 2,000 items and uses partitions above",
        "index.partitions": "number of partitions; null chooses it by the number of items",
        "index.recall": "share of the exact best 50 that the default effort must find; more costs time",
        "index.seed": "seed of the clustering",
        "model.historyLength": "newest items of a history that are used",
        "model.steps": "T, diffusion steps",
        "model.schedule.kind": "family of the noise schedule",
        "model.schedule.betaFirst": "first beta of `linear`",
        "model.schedule.betaLast": "last beta of `linear`; at least `betaFirst`",
        "continuation.share":
            "steps of a training that continues from a version, as a share of the steps of the training from nothing",
        "continuation.learningRate": "learning rate of such a training, as a share of `training.learningRate`",
        "continuation.warmup": "share of the steps of such a training over which the learning rate rises from 0",
        "tuning.trials": "trials from which tuning chose the recipe; 0 for values set by hand",
        "model.dimension": "length of item rows and, where the system has one, user vectors",
        "model.logitScale": "inverse temperature of the softmax",
        "model.interests": "interests of a history, each a user vector",
        "model.blocks": "Transformer blocks",
        "model.heads": "attention heads of each block; a divisor of `dimension`",
        "model.hidden": "width of hidden or feed-forward layers",
        "model.dropout": "dropout during training",
        "model.loss": "softmax over the negatives, or Bayesian personalised ranking",
        "model.target": "the items to predict: history and next item, or the next item alone",
        "model.position": "positional table: trained, or sines and cosines",
        "model.padding": "the end of the window that a short history leaves empty",
        "model.beta": "final weight of the divergence of the latent distribution",
        "model.annealingSteps": "training steps over which the weight `beta` rises from 0",
        "model.itemDropout": "dropout on item rows during training",
        "model.oldestWeight": "weight of the oldest item",
        "model.noise.steps": "T, diffusion steps",
        "model.noise.firstVariance": "variance of the noise at the first step",
        "model.noise.lastVariance": "variance of the noise at the last step; at least `firstVariance`",
        "model.detachTarget": "stops the gradient into the target's item row",
    ]

    /// Model fields of DimeRec.
    private static let dimeRec: [String: String] = [
        "dimerec: model.dimension":
            "length of item, interest and user vectors; even. 128 is better on large data and slower",
        "dimerec: model.interests": "K, the interests of a history",
        "dimerec: model.tiedItems": "targets and history share one table; false gives targets their own",
        "dimerec: model.projectItems":
            "puts item rows back on the sphere after each step, instead of dividing by their length where used",
        "dimerec: model.geometry":
            "`euclidean` normalises nothing: the ablation without the walk. It needs `noise.kind` `literal` "
            + "and `projectItems` false",
        "dimerec: model.guidance.kind": "the module that extracts the interests",
        "dimerec: model.guidance.hidden": "width of the hidden layer, or of the feed-forward layers of `sasrec`; "
            + "without effect on `hstu`",
        "dimerec: model.guidance.blocks": "blocks of `sasrec` or `hstu`",
        "dimerec: model.guidance.attentionHeads": "heads of each block of `sasrec` or `hstu`; a divisor of "
            + "`dimension`",
        "dimerec: model.guidance.dropout": "dropout of `sasrec` or `hstu` during training",
        "dimerec: model.guidance.position": "positional table of `self-attentive`",
        "dimerec: model.guidance.padding":
            "the end of the window that a short history leaves empty. `left` counts positions from the newest "
            + "item, which is better on MovieLens 1M",
        "dimerec: model.guidance.normaliseRows": "puts interests on the sphere before use",
        "dimerec: model.guidance.slots.exploring":
            "slots of `rule-based` that hold promising, rarely shown items in service; a request may change it",
        "dimerec: model.guidance.slots.popular":
            "slots of `rule-based` that hold the most popular items in service; a request may change it",
        "dimerec: model.guidance.slots.historyPopular":
            "slots of `rule-based` that hold the most popular items of the history in service; a request may change it",
        "dimerec: model.denoiser.hidden": "width H of the hidden layer; the time of serving grows with it",
        "dimerec: model.denoiser.depth": "hidden layers",
        "dimerec: model.denoiser.activation": "non-linearity",
        "dimerec: model.denoiser.layout": "the K interests side by side, or their mean",
        "dimerec: model.denoiser.recentItems": "newest items that the denoiser gets beside the interests, in order",
        "dimerec: model.denoiser.conditionHidden":
            "width of a hidden layer over interests and recent items, computed once per user; 0 for none",
        "dimerec: model.denoiser.residual":
            "added to the output before it is normalised: the noised vector, the mean interest, or a linear "
            + "map of the condition's hidden layer (needs `conditionHidden`)",
        "dimerec: model.denoiser.stepEmbedding": "encoding of the step number",
        "dimerec: model.denoiser.dropout": "dropout on hidden layers during training",
        "dimerec: model.denoiser.normaliseOutput": "puts the output on the sphere",
        "dimerec: model.noise.kind": "normal noise mapped to the sphere, or the geodesic random walk",
        "dimerec: model.noise.reading": "how far the walk goes in a step of a given beta: see <doc:Method>",
        "dimerec: model.noise.sampler": "draws the end of the walk directly, or step by step; the same distribution",
        "dimerec: model.noise.schedule.kind": "family of the noise schedule",
        "dimerec: model.noise.schedule.betaFirst": "first beta of `linear`",
        "dimerec: model.noise.schedule.betaLast": "last beta of `linear`; at least `betaFirst`",
        "dimerec: model.reverse.steps":
            "reverse steps of an answer if the request does not give a number; 0 for all `steps`. One step is as accurate as "
            + "20 on every data set measured, and faster: see <doc:NoiseInformation>",
        "dimerec: model.reverse.noiseScale":
            "size of the noise added in the reverse chain: that of the forward noise, 1, `1 / sqrt(d)`, or none",
        "dimerec: model.loss.guidance": "weight of the guidance loss",
        "dimerec: model.loss.lambda": "weight of the reconstruction loss",
        "dimerec: model.loss.mu": "weight of the softmax loss of the generated vector",
        "dimerec: model.loss.logitScale":
            "inverse temperature. 14.3 suits some thousand negatives; 6 suits 10 private ones",
        "dimerec: model.loss.learnLogitScale": "trains the scale, kept within 1 to 100",
        "dimerec: model.loss.reconstruction": "squared error summed or averaged over coordinates",
        "dimerec: model.loss.detachTarget": "stops the reconstruction gradient into the target's vector",
        "dimerec: model.loss.detachNoised": "stops gradients through the noised vector",
        "dimerec: model.loss.detachGuidance": "stops the diffusion losses' gradients into the guidance",
        "dimerec: model.loss.sharedNegatives": "gives both softmax losses the same negatives",
        "dimerec: model.loss.ownSamples":
            "share of training rows in which the model's own answer is noised instead of the target, as in the reverse "
            + "chain",
    ]

    /// Model fields of one other system.
    private static let others: [String: String] = [
        "comirec-sa: model.dimension": "length of item rows and user vectors; even",
        "dreamrec: model.dimension": "length of item rows and user vectors; even",
        "diffurec: model.dimension": "length of item rows and user vectors; even",
        "diffrec-sequential: model.dimension": "length of item rows and user vectors; even",
        "bert4rec: model.maskProbability": "probability of masking an item of a sequence",
        "bert4rec: model.nextShare": "share of the rows in which only the next item is masked",
        "caser: model.horizontalFilters": "horizontal filters of each height",
        "caser: model.verticalFilters": "vertical filters",
        "fossil: model.order": "newest items with weights of their own",
        "fossil: model.exponent": "0 sums a history, 1 averages it",
        "mult-vae: model.latent": "length of the latent vector",
        "mult-vae: model.dimension": "width of the decoder's hidden layer and length of item rows",
        "dreamrec: model.guidanceWeight": "strength of the guidance in generation",
        "dreamrec: model.nullProbability": "share of the training rows without their condition",
        "dreamrec: model.denoiser": "one linear layer, or a hidden layer before it",
        "diffurec: model.reverseVariance":
            "variance of the noise of the reverse steps: that of the forward step, or of the posterior",
        "diffurec: model.mixing": "mean and deviation of the share of the noised vector",
        "diffurec: model.distances": "attention uses distances between positions",
        "diffurec: model.geometry": "item rows and predictions as they are, or on the unit sphere",
        "diffrec-sequential: model.tokenDeviation": "deviation of a token around its item's row",
        "diffrec-sequential: model.rounding": "weight of the rounding loss",
        "diffrec: model.hidden": "width of the hidden layer and length of item rows",
        "diffrec: model.oldestWeight": "weight of the oldest item; below 1 it is T-DiffRec",
        "l-diffrec: model.itemDropout": "dropout on the items of a row at the encoder's input",
        "l-diffrec: model.dimension": "length of the latent row and of item rows",
        "l-diffrec: model.lambda": "weight of the denoiser's squared error",
        "l-diffrec: model.initialDeviation": "initial deviation of the latent distribution of a row without items",
        "transitions: model.neighbours": "followers kept of each item",
        "item-knn: model.neighbours": "similar items kept of each item",
        "item-knn: model.shrinkage": "makes rare items less similar",
        "item-knn: model.decay": "factor of an item's weight for each newer item",
        "vsknn: model.neighbours": "sessions that add to scores",
        "vsknn: model.sampled": "newest sessions of an item that are searched",
        "ease: model.neighbours": "weights kept of each item",
        "ease: model.regularisation": "strength of the L2 regularisation",
    ]
}
