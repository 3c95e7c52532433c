#pragma once

#include <memory>
#include <type_traits>
#include <utility>

namespace penumbra {

template <class Signature>
class UniqueFunction;

/// A callable that is moved, never copied, so that it may own move-only things (std::move_only_function comes with
/// C++23).
template <class R, class... Args>
class UniqueFunction<R(Args...)> {
  public:
    UniqueFunction() = default;
    template <class F>
        requires(!std::is_same_v<std::remove_cvref_t<F>, UniqueFunction> && std::is_invocable_r_v<R, F&, Args...>)
    UniqueFunction(F&& f) : target_(std::make_unique<Holder<std::decay_t<F>>>(std::forward<F>(f))) {}

    explicit operator bool() const { return target_ != nullptr; }
    R operator()(Args... args) { return target_->call(std::forward<Args>(args)...); }

  private:
    struct Target {
        virtual ~Target() = default;
        virtual R call(Args... args) = 0;
    };
    template <class F>
    struct Holder final : Target {
        explicit Holder(F&& f) : f_(std::move(f)) {}
        explicit Holder(const F& f) : f_(f) {}
        R call(Args... args) override { return f_(std::forward<Args>(args)...); }
        F f_;
    };
    std::unique_ptr<Target> target_;
};

using Job = UniqueFunction<void()>;

}  // namespace penumbra
