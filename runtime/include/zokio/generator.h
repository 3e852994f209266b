// SPDX-License-Identifier: Apache-2.0
#pragma once

// Generator: a coroutine that makes a sequence, one element at a time, for a plain range-for.
//
//   Generator<int> leaves(const Node& node) {
//     if (node.left) co_yield elements_of(leaves(*node.left));
//     co_yield node.value;
//   }
//   for (int& leaf : leaves(root)) ...
//
// It runs on the caller's stack, in the caller's thread, only while an element is asked for; it
// cannot await (that is what Stream is for). An element lives until the next one is asked for. The
// frame comes from the pool of coroutine frames and is destroyed with the generator, wherever it
// stands. elements_of() yields what another generator makes, at the cost of one resumption for each
// element however deep they are nested.
// Source: the nesting is that of cppcoro::recursive_generator (Lewis Baker).
// Thread: one at a time.

#include <coroutine>
#include <cstddef>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "zokio/mem/frame.h"

namespace zokio {

template <class T>
class [[nodiscard("a Generator does nothing until it is iterated")]] Generator;

// co_yield elements_of(generator): all of its elements, one by one.
template <class T>
struct elements_of {
  explicit elements_of(Generator<T> g) noexcept : generator(std::move(g)) {}
  Generator<T> generator;
};

template <class T>
class Generator {
  static_assert(std::is_object_v<T>, "a Generator yields values; yield a pointer instead");

 public:
  class promise_type;
  class iterator;

  Generator(Generator&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Generator& operator=(Generator&& other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~Generator() {
    if (frame_) frame_.destroy();
  }

  // Runs to the first element. Once.
  iterator begin() {
    frame_.promise().step();
    return iterator(frame_);
  }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  using Frame = std::coroutine_handle<promise_type>;
  explicit Generator(Frame frame) noexcept : frame_(frame) {}

  Frame frame_;
};

template <class T>
class Generator<T>::iterator {
 public:
  using value_type = T;
  using difference_type = std::ptrdiff_t;

  iterator() noexcept = default;
  T& operator*() const noexcept { return *frame_.promise().value_; }
  T* operator->() const noexcept { return frame_.promise().value_; }
  iterator& operator++() {
    frame_.promise().step();
    return *this;
  }
  void operator++(int) { ++*this; }
  friend bool operator==(const iterator& it, std::default_sentinel_t) noexcept {
    return it.frame_.done();
  }

 private:
  friend Generator;
  explicit iterator(Frame frame) noexcept : frame_(frame) {}

  Frame frame_;
};

template <class T>
class Generator<T>::promise_type {
 public:
  static void* operator new(std::size_t bytes) { return mem::allocate_frame(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept {
    mem::free_frame(frame, bytes);
  }

  Generator get_return_object() noexcept { return Generator(Frame::from_promise(*this)); }
  std::suspend_always initial_suspend() const noexcept { return {}; }

  // At the end the generator that yields this one's elements goes on at once.
  struct Final {
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(Frame self) const noexcept {
      promise_type& ended = self.promise();
      if (ended.parent_ == nullptr) return std::noop_coroutine();
      ended.root_->leaf_ = ended.parent_;
      return Frame::from_promise(*ended.parent_);
    }
    void await_resume() const noexcept {}
  };
  Final final_suspend() const noexcept { return {}; }

  // The operand lives until the coroutine goes on: its address is enough.
  std::suspend_always yield_value(T& value) noexcept {
    root_->value_ = std::addressof(value);
    return {};
  }
  std::suspend_always yield_value(T&& value) noexcept {
    root_->value_ = std::addressof(value);
    return {};
  }
  // The caller may change an element, so of a constant it gets a copy.
  struct Copy : std::suspend_always {
    explicit Copy(const T& value) : copy(value) {}
    void await_suspend(Frame self) noexcept { self.promise().root_->value_ = std::addressof(copy); }
    T copy;
  };
  Copy yield_value(const T& value) { return Copy(value); }

  class Nested {
   public:
    explicit Nested(Generator inner) noexcept : inner_(std::move(inner)) {}
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(Frame self) noexcept {
      promise_type& outer = self.promise();
      promise_type& inner = inner_.frame_.promise();
      inner.parent_ = &outer;
      inner.root_ = outer.root_;
      outer.root_->leaf_ = &inner;
      return inner_.frame_;
    }
    void await_resume() const { inner_.frame_.promise().rethrow(); }

   private:
    Generator inner_;
  };
  Nested yield_value(elements_of<T> nested) noexcept { return Nested(std::move(nested.generator)); }

  void return_void() const noexcept {}
  void unhandled_exception() noexcept { exception_ = std::current_exception(); }

  // Awaiting needs a task around it.
  template <class A>
  void await_transform(A&&) = delete;

 private:
  friend Generator;

  // To the next element or the end. Requires: this is the outermost one, and not at its end.
  void step() {
    Frame::from_promise(*leaf_).resume();
    if (exception_) [[unlikely]]
      rethrow();
  }
  void rethrow() {
    if (exception_) std::rethrow_exception(std::exchange(exception_, nullptr));
  }

  promise_type* root_ = this;       // the outermost one, which the caller iterates
  promise_type* leaf_ = this;       // of the outermost one: which is to go on
  promise_type* parent_ = nullptr;  // that yields this one's elements
  T* value_ = nullptr;              // of the outermost one: the element
  std::exception_ptr exception_;
};

}  // namespace zokio
