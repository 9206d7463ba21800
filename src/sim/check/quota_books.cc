#include "sim/check/quota_books.h"

#include <fmt/format.h>

#include <algorithm>

namespace gyre::sim {

void QuotaBooks::set(const QueueSpec& queue) {
  const auto found = books_.find(queue.name);
  if (found == books_.end()) {
    books_[queue.name].spec = queue;
    return;
  }
  QueueSpec& spec = found->second.spec;
  const QueueSpec before = spec;
  spec = queue;
  spec.partition = before.partition;
  spec.parent = before.parent;
}

std::vector<const QuotaBooks::Book*> QuotaBooks::path(const std::string& queue) const {
  std::vector<const Book*> path;
  for (auto at = books_.find(queue); at != books_.end(); at = books_.find(at->second.spec.parent)) {
    path.push_back(&at->second);
  }
  return path;
}

template <class Change>
void QuotaBooks::change(const std::string& queue, Change&& apply) {
  for (auto at = books_.find(queue); at != books_.end(); at = books_.find(at->second.spec.parent)) {
    apply(at->second);
  }
}

std::string QuotaBooks::placed(const std::string& queue, const ResourceSum& amount) {
  std::string wrong;
  change(queue, [&](Book& book) {
    book.placed += amount;
    ++book.jobs;
    const QueueSpec& spec = book.spec;
    if (spec.gpu_milli_max && book.placed.gpu_milli > *spec.gpu_milli_max) {
      wrong = fmt::format("queue {} holds {} milli-GPUs and may hold {}", spec.name,
                          book.placed.gpu_milli, *spec.gpu_milli_max);
    } else if (spec.jobs_max && book.jobs > *spec.jobs_max) {
      wrong = fmt::format("queue {} has {} jobs placed and may have {}", spec.name, book.jobs,
                          *spec.jobs_max);
    }
  });
  return wrong;
}

void QuotaBooks::stopping(const std::string& queue, const ResourceSum& amount) {
  change(queue, [&](Book& book) { book.stopping += amount; });
}

void QuotaBooks::gone(const std::string& queue, const ResourceSum& amount, bool was_stopping) {
  change(queue, [&](Book& book) {
    book.placed -= amount;
    if (was_stopping) book.stopping -= amount;
    --book.jobs;
  });
}

std::string QuotaBooks::reclaim(const std::string& victim, const std::string& beneficiary) const {
  if (victim == beneficiary) return {};
  const auto theirs = path(beneficiary);
  const Book* top = nullptr;  // of the victim's queues, the highest that the beneficiary is not in
  bool quotas = false;
  for (const auto& [name, book] : books_) {
    quotas = quotas ||
             (book.spec.has_quota() && book.spec.partition == books_.at(victim).spec.partition);
  }
  if (!quotas) return {};
  for (const Book* book : path(victim)) {
    if (std::find(theirs.begin(), theirs.end(), book) != theirs.end()) break;
    top = book;
  }
  if (top == nullptr) return {};
  const ResourceSum held = top->placed - top->stopping;
  const ResourceSum& own = top->spec.guaranteed;
  const bool by_gpu = held.gpu_milli > 0 || own.gpu_milli > 0;
  if (by_gpu ? held.gpu_milli > own.gpu_milli : held.cpu_milli > own.cpu_milli) return {};
  return fmt::format("queue {} holds {} milli-GPUs, is guaranteed {}, and must give back",
                     top->spec.name, held.gpu_milli, own.gpu_milli);
}

bool QuotaBooks::ever_allows(const std::string& queue, const ResourceSum& amount) const {
  const auto all = path(queue);
  return std::all_of(all.begin(), all.end(), [&](const Book* book) {
    const QueueSpec& spec = book->spec;
    return (!spec.gpu_milli_max || amount.gpu_milli <= *spec.gpu_milli_max) && spec.jobs_max != 0 &&
           spec.gpu_seconds_max != 0;
  });
}

std::int64_t QuotaBooks::promised(const std::string& queue) const {
  std::int64_t below = 0;
  for (const auto& [name, book] : books_) {
    if (!queue.empty() && book.spec.parent == queue) below += promised(name);
  }
  return std::max(books_.at(queue).spec.guaranteed.gpu_milli, below);
}

bool QuotaBooks::ever_leaves(const std::string& queue, const ResourceSum& amount,
                             std::int64_t gpu_milli) const {
  const auto all = path(queue);
  if (all.empty() || amount.gpu_milli <= all.front()->spec.guaranteed.gpu_milli) return true;
  const QueueSpec& own = all.front()->spec;
  for (const Book* book : all) {
    const std::string& parent = book->spec.parent;
    const std::int64_t whole =
        parent.empty() ? gpu_milli : books_.at(parent).spec.guaranteed.gpu_milli;
    if (!parent.empty() && whole == 0) continue;
    std::int64_t left = whole + own.guaranteed.gpu_milli;
    for (const auto& [name, other] : books_) {
      const bool beside = other.spec.parent == parent && other.spec.partition == own.partition;
      if (beside) left -= promised(name);
    }
    return amount.gpu_milli <= left;
  }
  return true;
}

bool QuotaBooks::allows(const std::string& queue, const ResourceSum& amount) const {
  const auto all = path(queue);
  return std::all_of(all.begin(), all.end(), [&](const Book* book) {
    const QueueSpec& spec = book->spec;
    return (!spec.gpu_milli_max ||
            book->placed.gpu_milli + amount.gpu_milli <= *spec.gpu_milli_max) &&
           (!spec.jobs_max || book->jobs < *spec.jobs_max);
  });
}

bool QuotaBooks::may_keep_waiting(const std::string& queue, bool preemptible) const {
  const auto all = path(queue);
  const bool limits = std::any_of(all.begin(), all.end(), [](const Book* book) {
    return book->spec.gpu_milli_max || book->spec.jobs_max || book->spec.gpu_seconds_max;
  });
  if (limits || preemptible || all.empty()) return limits;
  return std::any_of(books_.begin(), books_.end(), [&](const auto& entry) {
    const Book& other = entry.second;
    return &other != all.front() && other.spec.partition == all.front()->spec.partition &&
           other.spec.guaranteed.gpu_milli > 0;
  });
}

}  // namespace gyre::sim
