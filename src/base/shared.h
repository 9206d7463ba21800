#pragma once

#include <memory>
#include <utility>

namespace gyre {

/// A value that nobody changes any more: copies share it, and cost the same however large it is.
/// Like a value it is never empty, not even when it has been moved from. Thread-safety: copies may
/// be made, read and dropped by any threads.
template <class T>
class Shared {
 public:
  Shared() {
    static const Shared blank{T{}};
    value_ = blank.value_;
  }
  Shared(T&& value)  // NOLINT(google-explicit-constructor): it stands for the value
      : value_(std::make_shared<const T>(std::move(value))) {}
  Shared(const T& value) : value_(std::make_shared<const T>(value)) {}  // NOLINT
  Shared(const Shared&) = default;  // and no moves, which would leave nothing behind
  Shared& operator=(const Shared&) = default;
  ~Shared() = default;

  const T& operator*() const { return *value_; }
  const T* operator->() const { return value_.get(); }
  operator const T&() const { return *value_; }  // NOLINT(google-explicit-constructor)

  /// Another value: this one as `change(T&)` leaves it.
  template <class Change>
  Shared with(Change change) const {
    T copy = *value_;
    change(copy);
    return copy;
  }

  friend bool operator==(const Shared& one, const Shared& other) {
    return one.value_ == other.value_ || *one == *other;
  }
  friend bool operator==(const Shared& one, const T& other) { return *one == other; }

 private:
  std::shared_ptr<const T> value_;
};

}  // namespace gyre
