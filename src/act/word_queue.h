#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "act/agent_protocol.h"
#include "act/task_exec.h"

namespace gyre::act {

/// What a word of a command's carries on: a word of the same id and lane may be joined to one that
/// stands before it. nullopt: such a word stands alone.
std::optional<std::size_t> lane_of(const ExecOrder& order);
std::optional<std::size_t> lane_of(const ExecReport& report);

/// Makes `last` say what both say: bytes follow one another, kExecPieceMax at most; counts are
/// added up; of sizes the later one counts. False: they stay two. Requires: one id, one lane.
bool join(ExecOrder& last, const ExecOrder& next);
bool join(ExecReport& last, const ExecReport& next);

/// So many words may wait before one is joined to another that others stand behind.
inline constexpr std::size_t kWordsInOrder = 64;

/// Words that wait to be taken, in the order in which they were put; but what one command says in
/// many small words waits as few: each is joined to the word before it, and once kWordsInOrder wait
/// wherever that one stands. So a command's windows bound how many words of it wait, not only their
/// bytes, and what a few words say is not told in another order. Word: Order, Report or ExecReport.
/// Not thread-safe; O(log n) per call.
template <class Word>
class WordQueue {
 public:
  WordQueue() = default;
  WordQueue(const WordQueue&) = delete;
  WordQueue& operator=(const WordQueue&) = delete;

  void push(Word word);
  /// Requires: not empty().
  Word pop();
  void clear();
  bool empty() const { return words_.empty(); }
  std::size_t size() const { return words_.size(); }

 private:
  using Lane = std::pair<std::uint64_t, std::size_t>;  // a command's id, and what of it

  template <class Any>
  static auto* exec_word(Any& word) {
    if constexpr (std::is_same_v<Word, Order>)
      return std::get_if<ExecOrder>(&word);
    else if constexpr (std::is_same_v<Word, Report>)
      return std::get_if<ExecReport>(&word);
    else
      return &word;
  }
  static std::optional<Lane> lane(const Word& word);

  std::deque<Word> words_;
  std::map<Lane, Word*> last_;  // in words_, of those that wait
};

template <class Word>
auto WordQueue<Word>::lane(const Word& word) -> std::optional<Lane> {
  const auto* exec = exec_word(word);
  const auto number = exec == nullptr ? std::nullopt : lane_of(*exec);
  if (!number) return std::nullopt;
  return Lane{exec_id(*exec), *number};
}

template <class Word>
void WordQueue<Word>::push(Word word) {
  const auto where = lane(word);
  if (where) {
    const auto last = last_.find(*where);
    const bool near =
        last != last_.end() && (words_.size() >= kWordsInOrder || last->second == &words_.back());
    if (near && join(*exec_word(*last->second), *exec_word(word))) return;
  }
  words_.push_back(std::move(word));
  if (where) last_[*where] = &words_.back();
}

template <class Word>
Word WordQueue<Word>::pop() {
  if (const auto where = lane(words_.front())) {
    const auto last = last_.find(*where);
    if (last != last_.end() && last->second == &words_.front()) last_.erase(last);
  }
  Word word = std::move(words_.front());
  words_.pop_front();
  return word;
}

template <class Word>
void WordQueue<Word>::clear() {
  words_.clear();
  last_.clear();
}

}  // namespace gyre::act
