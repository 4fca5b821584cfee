//! A heap of nodes by score, the least first. Of nodes with equal scores it yields the one that the heap in lightningd
//! (`external/gheap`) yields: which of several equal routes is found depends on it.

/// Numbers of nodes. Scores are the caller's; they only ever get less.
pub(super) struct Heap {
    order: Vec<usize>,
    places: Vec<Option<usize>>,
}

impl Heap {
    /// The nodes below `number`, of which `first` is the only one with a score.
    pub(super) fn new(number: usize, first: usize) -> Self {
        let others = (0..number).filter(|node| *node != first);
        let order: Vec<usize> = [first].into_iter().chain(others).collect();
        let mut places = vec![None; number];
        for (place, node) in order.iter().enumerate() {
            places[*node] = Some(place);
        }
        Self { order, places }
    }

    /// The node with the least score.
    pub(super) fn first(&self) -> Option<usize> {
        self.order.first().copied()
    }

    /// Whether a node has not been removed.
    pub(super) fn contains(&self, node: usize) -> bool {
        self.places[node].is_some()
    }

    /// Puts a node in its place after its score got less.
    pub(super) fn raise(&mut self, node: usize, scores: &[u64]) {
        if let Some(place) = self.places[node] {
            self.sift_up(place, node, scores);
        }
    }

    /// Removes the first node: the hole sinks to the bottom, and the last node rises from there.
    pub(super) fn pop(&mut self, scores: &[u64]) {
        let (Some(first), Some(last)) = (self.first(), self.order.pop()) else { return };
        self.places[first] = None;
        if self.order.is_empty() {
            return;
        }
        let mut hole = 0;
        while let Some(child) = self.better_child(hole, scores) {
            self.put(hole, self.order[child]);
            hole = child;
        }
        self.sift_up(hole, last, scores);
    }

    /// Of equal children the right one.
    fn better_child(&self, parent: usize, scores: &[u64]) -> Option<usize> {
        let (left, right) = (2 * parent + 1, 2 * parent + 2);
        let score = |place: usize| self.order.get(place).map(|node| scores[*node]);
        match (score(left)?, score(right)) {
            (of_left, Some(of_right)) if of_right <= of_left => Some(right),
            _ => Some(left),
        }
    }

    fn sift_up(&mut self, mut hole: usize, node: usize, scores: &[u64]) {
        while hole > 0 {
            let parent = self.order[(hole - 1) / 2];
            if scores[parent] <= scores[node] {
                break;
            }
            self.put(hole, parent);
            hole = (hole - 1) / 2;
        }
        self.put(hole, node);
    }

    fn put(&mut self, place: usize, node: usize) {
        self.order[place] = node;
        self.places[node] = Some(place);
    }
}
