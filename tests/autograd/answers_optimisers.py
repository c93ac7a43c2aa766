# Known answers of autograd/optimisers: wrong ones with what they mean, and right ones written differently.

# %% SGD wrong="writes into p.grad"
# `.grad` is different after the step: weight decay was added with `+=` or `add_`, which writes into the tensor that
# autograd left. Make a new tensor for the sum.
class SGD:
    def __init__(self, params, lr=1e-3, *, momentum=0.0, weight_decay=0.0):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.buffers = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                d = p.grad.add_(p, alpha=group["weight_decay"])
                if p in self.buffers:
                    d = d + group["momentum"] * self.buffers[p]
                self.buffers[p] = d
                p -= group["lr"] * d

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

# %% SGD wrong="the buffer is p.grad itself"
# The buffer was not copied from the first gradient, it is that tensor, so whatever is written into `.grad` later
# changes the buffer, and the other way round. Start it from a tensor of its own.
class SGD:
    def __init__(self, params, lr=1e-3, *, momentum=0.0, weight_decay=0.0):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.buffers = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                d = p.grad if group["weight_decay"] == 0 else p.grad + group["weight_decay"] * p
                if p in self.buffers:
                    d = self.buffers[p].mul_(group["momentum"]).add_(d)
                self.buffers[p] = d
                p -= group["lr"] * d

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

# %% SGD wrong="no gradient counts as zero"
# A parameter without a gradient moved: momentum and weight decay went on as if its gradient were 0. None means that
# this step is not for it.
class SGD:
    def __init__(self, params, lr=1e-3, *, momentum=0.0, weight_decay=0.0):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.buffers = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                grad = torch.zeros_like(p) if p.grad is None else p.grad
                d = grad + group["weight_decay"] * p
                if p in self.buffers:
                    d = d + group["momentum"] * self.buffers[p]
                self.buffers[p] = d
                p -= group["lr"] * d

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

# %% SGD wrong="None is not expected"
# This stops with an error as soon as one parameter has no `.grad`, as every frozen or unused one does. Pass over
# those.
class SGD:
    def __init__(self, params, lr=1e-3, *, momentum=0.0, weight_decay=0.0):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.buffers = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                d = p.grad + group["weight_decay"] * p
                if p in self.buffers:
                    d = d + group["momentum"] * self.buffers[p]
                self.buffers[p] = d
                p -= group["lr"] * d

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

# %% SGD wrong="a gradient of zeros is passed over"
# A gradient that is all zeros was treated like None. It still is a step: the buffer, and decay, move the parameter.
class SGD:
    def __init__(self, params, lr=1e-3, *, momentum=0.0, weight_decay=0.0):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.buffers = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None or not p.grad.any():
                    continue
                d = p.grad + group["weight_decay"] * p
                if p in self.buffers:
                    d = d + group["momentum"] * self.buffers[p]
                self.buffers[p] = d
                p -= group["lr"] * d

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

# %% SGD wrong="the first gradient is damped"
# The steps come out too small from the first one on: the gradient enters the buffer with the factor 1 - momentum, as
# in a running average. Here the buffer is a sum, and starts as the whole first gradient.
class SGD:
    def __init__(self, params, lr=1e-3, *, momentum=0.0, weight_decay=0.0):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.buffers = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                d = p.grad + group["weight_decay"] * p
                d = (1 - group["momentum"]) * d + group["momentum"] * self.buffers.get(p, 0.0)
                self.buffers[p] = d
                p -= group["lr"] * d

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

# %% SGD wrong="looks ahead, as Nesterov does"
# Each step goes by gradient + momentum * buffer, which is Nesterov's variant. Here the step is the buffer.
class SGD:
    def __init__(self, params, lr=1e-3, *, momentum=0.0, weight_decay=0.0):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.buffers = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                d = p.grad + group["weight_decay"] * p
                if p in self.buffers:
                    d = d + group["momentum"] * self.buffers[p]
                self.buffers[p] = d
                p -= group["lr"] * (p.grad + group["weight_decay"] * p + group["momentum"] * d)

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

# %% SGD wrong="the learning rate is inside the buffer"
# As long as lr stays the same, all is well. When it changes, the buffer still holds steps with the old one. Keep lr
# out of the buffer, and multiply when the parameter moves.
class SGD:
    def __init__(self, params, lr=1e-3, *, momentum=0.0, weight_decay=0.0):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.buffers = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                d = group["lr"] * (p.grad + group["weight_decay"] * p)
                if p in self.buffers:
                    d = d + group["momentum"] * self.buffers[p]
                self.buffers[p] = d
                p -= d

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

# %% SGD wrong="only the first group"
# The parameters of the first group move, those of the others stay where they were. Loop over all of `param_groups`.
class SGD:
    def __init__(self, params, lr=1e-3, *, momentum=0.0, weight_decay=0.0):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.buffers = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups[:1]:
            for p in group["params"]:
                if p.grad is None:
                    continue
                d = p.grad + group["weight_decay"] * p
                if p in self.buffers:
                    d = d + group["momentum"] * self.buffers[p]
                self.buffers[p] = d
                p -= group["lr"] * d

    def zero_grad(self):
        for group in self.param_groups[:1]:
            for p in group["params"]:
                p.grad = None

# %% SGD wrong="the options of the call for every group"
# All groups are treated alike: what a group's own dict says about lr, momentum or weight decay has no effect.
class SGD:
    def __init__(self, params, lr=1e-3, *, momentum=0.0, weight_decay=0.0):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        self.param_groups = [{**group, **defaults, "params": list(group["params"])} for group in groups]
        self.buffers = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                d = p.grad + group["weight_decay"] * p
                if p in self.buffers:
                    d = d + group["momentum"] * self.buffers[p]
                self.buffers[p] = d
                p -= group["lr"] * d

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

# %% SGD wrong="options are remembered from the start"
# A changed `param_groups[i]["lr"]` has no effect, so no scheduler would have one. Read the options from the group in
# each step.
class SGD:
    def __init__(self, params, lr=1e-3, *, momentum=0.0, weight_decay=0.0):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.buffers = {}
        self.options = [dict(group) for group in self.param_groups]

    @torch.no_grad()
    def step(self):
        for group in self.options:
            for p in group["params"]:
                if p.grad is None:
                    continue
                d = p.grad + group["weight_decay"] * p
                if p in self.buffers:
                    d = d + group["momentum"] * self.buffers[p]
                self.buffers[p] = d
                p -= group["lr"] * d

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

# %% SGD wrong="weight decay beside the buffer"
# The first step is right, the later ones are not: the decay was applied to the parameter on its own, and so never
# entered the buffer. Add it to the gradient first.
class SGD:
    def __init__(self, params, lr=1e-3, *, momentum=0.0, weight_decay=0.0):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.buffers = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                d = p.grad
                if p in self.buffers:
                    d = d + group["momentum"] * self.buffers[p]
                self.buffers[p] = d
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p -= group["lr"] * d

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

# %% SGD wrong="new tensors in place of the old"
# After a step the old memory still holds the old numbers: `p.data = ...` gives the parameter another memory, and
# whoever holds a view of it is left behind. Write into the tensor with `-=` or `sub_`.
class SGD:
    def __init__(self, params, lr=1e-3, *, momentum=0.0, weight_decay=0.0):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.buffers = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                d = p.grad + group["weight_decay"] * p
                if p in self.buffers:
                    d = d + group["momentum"] * self.buffers[p]
                self.buffers[p] = d
                p.data = p - group["lr"] * d

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

# %% SGD wrong="zero_grad fills with zeros"
# After `zero_grad()` the gradients are tensors of zeros where None was asked for. With zeros, parameters that the
# next loss does not use still move, by momentum and decay.
class SGD:
    def __init__(self, params, lr=1e-3, *, momentum=0.0, weight_decay=0.0):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.buffers = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                d = p.grad + group["weight_decay"] * p
                if p in self.buffers:
                    d = d + group["momentum"] * self.buffers[p]
                self.buffers[p] = d
                p -= group["lr"] * d

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.grad.zero_()

# %% SGD wrong="an empty generator is welcome"
# An optimiser without parameters was made, and it would train nothing without a word. Raise ValueError.
class SGD:
    def __init__(self, params, lr=1e-3, *, momentum=0.0, weight_decay=0.0):
        groups = list(params)
        if groups and not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.buffers = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                d = p.grad + group["weight_decay"] * p
                if p in self.buffers:
                    d = d + group["momentum"] * self.buffers[p]
                self.buffers[p] = d
                p -= group["lr"] * d

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

# %% SGD wrong="buffers shared by all optimisers"
# A new optimiser goes on with the buffers of an older one: they are stored in the class, or in a global. Make them in
# `__init__`.
class SGD:
    buffers = {}

    def __init__(self, params, lr=1e-3, *, momentum=0.0, weight_decay=0.0):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                d = p.grad + group["weight_decay"] * p
                if p in self.buffers:
                    d = d + group["momentum"] * self.buffers[p]
                self.buffers[p] = d
                p -= group["lr"] * d

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

# %% SGD wrong="0.0 in a group counts as not said"
# A group that asks for 0.0 got the option of the call: `or` takes 0.0 for nothing said. How do you ask whether a key
# is in a dict, whatever its value?
class SGD:
    def __init__(self, params, lr=1e-3, *, momentum=0.0, weight_decay=0.0):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        self.param_groups = []
        for group in groups:
            options = {name: group.get(name) or default for name, default in defaults.items()}
            self.param_groups.append({"params": list(group["params"]), **options})
        self.buffers = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                d = p.grad + group["weight_decay"] * p
                if p in self.buffers:
                    d = d + group["momentum"] * self.buffers[p]
                self.buffers[p] = d
                p -= group["lr"] * d

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

# %% SGD wrong="frozen parameters are thawed"
# A frozen parameter requires a gradient once the optimiser is made, and from the next backward pass on it will be
# trained. Nothing is to change when the optimiser is made: does it need requires_grad at all?
class SGD:
    def __init__(self, params, lr=1e-3, *, momentum=0.0, weight_decay=0.0):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.buffers = {}
        for group in self.param_groups:
            for p in group["params"]:
                p.requires_grad_()

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                d = p.grad + group["weight_decay"] * p
                if p in self.buffers:
                    d = d + group["momentum"] * self.buffers[p]
                self.buffers[p] = d
                p -= group["lr"] * d

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

# %% SGD wrong="frozen parameters are left out"
# A parameter that is frozen when the optimiser is made is never trained, even when it has been thawed: it is not in
# `param_groups`. By what can `step` tell, each time anew, whether a parameter takes part?
class SGD:
    def __init__(self, params, lr=1e-3, *, momentum=0.0, weight_decay=0.0):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        self.param_groups = []
        for group in groups:
            trained = [p for p in group["params"] if p.requires_grad]
            self.param_groups.append({**defaults, **group, "params": trained})
        self.buffers = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                d = p.grad + group["weight_decay"] * p
                if p in self.buffers:
                    d = d + group["momentum"] * self.buffers[p]
                self.buffers[p] = d
                p -= group["lr"] * d

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

# %% SGD wrong="gradients are cleared at the start"
# Gradients that lay there when the optimiser was made are gone, so its first step moves nothing. Clearing is for
# `zero_grad`, when the caller asks for it.
class SGD:
    def __init__(self, params, lr=1e-3, *, momentum=0.0, weight_decay=0.0):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.buffers = {}
        self.zero_grad()

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                d = p.grad + group["weight_decay"] * p
                if p in self.buffers:
                    d = d + group["momentum"] * self.buffers[p]
                self.buffers[p] = d
                p -= group["lr"] * d

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

# %% SGD wrong="the buffer in float32"
# The buffer is in float32 where the parameter is in float64: `torch.zeros(shape)` has the default dtype, and half of the
# digits are lost with every step. `torch.zeros_like(p)` has that of the parameter.
class SGD:
    def __init__(self, params, lr=1e-3, *, momentum=0.0, weight_decay=0.0):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.buffers = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                d = p.grad + group["weight_decay"] * p
                if p in self.buffers:
                    d = d + group["momentum"] * self.buffers[p]
                self.buffers[p] = torch.zeros(p.shape).copy_(d)
                p -= group["lr"] * self.buffers[p]

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None


# %% SGD right="torch's own"
class SGD(torch.optim.SGD):
    pass

# %% SGD right="a function that returns torch's own"
def SGD(params, lr=1e-3, **options):
    print("made by torch")
    return torch.optim.SGD(params, lr=lr, foreach=True, **options)

# %% SGD right="buffers inside the groups"
class SGD:
    def __init__(self, params, lr=0.001, momentum=0, weight_decay=0):
        self.param_groups = []
        for item in params:
            if torch.is_tensor(item):
                if not self.param_groups:
                    self.param_groups.append({"params": []})
                self.param_groups[0]["params"].append(item)
            else:
                item["params"] = [*item["params"]]
                self.param_groups.append(item)
        for group in self.param_groups:
            for option, value in (("lr", lr), ("momentum", momentum), ("weight_decay", weight_decay)):
                group.setdefault(option, value)
            group["velocity"] = [None for _ in group["params"]]
        if len(self.param_groups) == 0:
            raise ValueError("nothing to do")

    def step(self):
        for group in self.param_groups:
            velocity = group["velocity"]
            for i, p in enumerate(group["params"]):
                if p.grad is not None:
                    grad = p.grad.detach().clone()
                    if group["weight_decay"]:
                        grad.add_(p.detach(), alpha=group["weight_decay"])
                    if group["momentum"]:
                        velocity[i] = grad if velocity[i] is None else velocity[i].mul_(group["momentum"]).add_(grad)
                        grad = velocity[i]
                    p.detach().sub_(grad, alpha=group["lr"])

    def zero_grad(self):
        for p in (p for group in self.param_groups for p in group["params"]):
            p.grad = None

# %% SGD right="a step that derives from torch's base class"
class SGD(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-3, momentum=0.0, weight_decay=0.0):
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in filter(lambda p: p.grad is not None, group["params"]):
                state = self.state[p]
                change = torch.add(p.grad, p, alpha=group["weight_decay"])
                if "sum" in state:
                    change += group["momentum"] * state["sum"]
                state["sum"] = change
                p.copy_(p - group["lr"] * change)

# %% Adam wrong="eps inside the root"
# The steps are too small, most of all with a large eps: eps was added under the root. The root comes first.
class Adam:
    decay, decoupled = 0.0, False

    def __init__(self, params, lr=1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=None):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        decay = self.decay if weight_decay is None else weight_decay
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.state = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr, (beta1, beta2), eps, decay = group["lr"], group["betas"], group["eps"], group["weight_decay"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = p.grad
                if self.decoupled:
                    p.mul_(1 - lr * decay)
                else:
                    g = g + decay * p
                t, mean, square = self.state.get(p, (0, 0.0, 0.0))
                t += 1
                mean = beta1 * mean + (1 - beta1) * g
                square = beta2 * square + (1 - beta2) * g * g
                self.state[p] = (t, mean, square)
                m, s = mean / (1 - beta1**t), square / (1 - beta2**t)
                p.sub_(lr * m / (s + eps).sqrt())

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None


class AdamW(Adam):
    decay, decoupled = 0.01, True

# %% Adam wrong="eps before the correction"
# eps was added to the root of `square` before the correction, so the correction scales eps as well. Correct first,
# then take the root, then add eps.
class Adam:
    decay, decoupled = 0.0, False

    def __init__(self, params, lr=1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=None):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        decay = self.decay if weight_decay is None else weight_decay
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.state = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr, (beta1, beta2), eps, decay = group["lr"], group["betas"], group["eps"], group["weight_decay"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = p.grad
                if self.decoupled:
                    p.mul_(1 - lr * decay)
                else:
                    g = g + decay * p
                t, mean, square = self.state.get(p, (0, 0.0, 0.0))
                t += 1
                mean = beta1 * mean + (1 - beta1) * g
                square = beta2 * square + (1 - beta2) * g * g
                self.state[p] = (t, mean, square)
                m, s = mean / (1 - beta1**t), square / (1 - beta2**t)
                p.sub_(lr * m / (square.sqrt() + eps) * (1 - beta2**t) ** 0.5)

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None


class AdamW(Adam):
    decay, decoupled = 0.01, True

# %% Adam wrong="no bias correction"
# The averages start at 0 and are far too small in the first steps. Divide them by 1 - beta**t.
class Adam:
    decay, decoupled = 0.0, False

    def __init__(self, params, lr=1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=None):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        decay = self.decay if weight_decay is None else weight_decay
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.state = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr, (beta1, beta2), eps, decay = group["lr"], group["betas"], group["eps"], group["weight_decay"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = p.grad
                if self.decoupled:
                    p.mul_(1 - lr * decay)
                else:
                    g = g + decay * p
                t, mean, square = self.state.get(p, (0, 0.0, 0.0))
                t += 1
                mean = beta1 * mean + (1 - beta1) * g
                square = beta2 * square + (1 - beta2) * g * g
                self.state[p] = (t, mean, square)
                m, s = mean, square
                p.sub_(lr * m / (s.sqrt() + eps))

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None


class AdamW(Adam):
    decay, decoupled = 0.01, True

# %% Adam wrong="corrects the mean alone"
# The average of the gradient is corrected and that of its square is not. Both start at 0.
class Adam:
    decay, decoupled = 0.0, False

    def __init__(self, params, lr=1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=None):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        decay = self.decay if weight_decay is None else weight_decay
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.state = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr, (beta1, beta2), eps, decay = group["lr"], group["betas"], group["eps"], group["weight_decay"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = p.grad
                if self.decoupled:
                    p.mul_(1 - lr * decay)
                else:
                    g = g + decay * p
                t, mean, square = self.state.get(p, (0, 0.0, 0.0))
                t += 1
                mean = beta1 * mean + (1 - beta1) * g
                square = beta2 * square + (1 - beta2) * g * g
                self.state[p] = (t, mean, square)
                m, s = mean / (1 - beta1**t), square
                p.sub_(lr * m / (s.sqrt() + eps))

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None


class AdamW(Adam):
    decay, decoupled = 0.01, True

# %% Adam wrong="betas ignored"
# The betas have no effect: 0.9 and 0.999 were used whatever the group says.
class Adam:
    decay, decoupled = 0.0, False

    def __init__(self, params, lr=1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=None):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        decay = self.decay if weight_decay is None else weight_decay
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.state = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr, (beta1, beta2), eps, decay = group["lr"], (0.9, 0.999), group["eps"], group["weight_decay"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = p.grad
                if self.decoupled:
                    p.mul_(1 - lr * decay)
                else:
                    g = g + decay * p
                t, mean, square = self.state.get(p, (0, 0.0, 0.0))
                t += 1
                mean = beta1 * mean + (1 - beta1) * g
                square = beta2 * square + (1 - beta2) * g * g
                self.state[p] = (t, mean, square)
                m, s = mean / (1 - beta1**t), square / (1 - beta2**t)
                p.sub_(lr * m / (s.sqrt() + eps))

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None


class AdamW(Adam):
    decay, decoupled = 0.01, True

# %% Adam wrong="one step counter for all"
# A parameter that got its first gradient late was corrected with the number of steps of the whole optimiser. Each
# parameter counts its own.
class Adam:
    decay, decoupled = 0.0, False

    def __init__(self, params, lr=1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=None):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        decay = self.decay if weight_decay is None else weight_decay
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.state = {}
        self.t = 0

    @torch.no_grad()
    def step(self):
        self.t += 1
        for group in self.param_groups:
            lr, (beta1, beta2), eps, decay = group["lr"], group["betas"], group["eps"], group["weight_decay"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = p.grad
                if self.decoupled:
                    p.mul_(1 - lr * decay)
                else:
                    g = g + decay * p
                t, mean, square = self.state.get(p, (0, 0.0, 0.0))
                t = self.t
                mean = beta1 * mean + (1 - beta1) * g
                square = beta2 * square + (1 - beta2) * g * g
                self.state[p] = (t, mean, square)
                m, s = mean / (1 - beta1**t), square / (1 - beta2**t)
                p.sub_(lr * m / (s.sqrt() + eps))

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None


class AdamW(Adam):
    decay, decoupled = 0.01, True

# %% Adam wrong="no gradient counts as zero"
# Parameters without a gradient were moved on by their averages, or decayed. None means that this step is not for
# them, and their count of steps stays.
class Adam:
    decay, decoupled = 0.0, False

    def __init__(self, params, lr=1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=None):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        decay = self.decay if weight_decay is None else weight_decay
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.state = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr, (beta1, beta2), eps, decay = group["lr"], group["betas"], group["eps"], group["weight_decay"]
            for p in group["params"]:
                g = torch.zeros_like(p) if p.grad is None else p.grad
                if self.decoupled:
                    p.mul_(1 - lr * decay)
                else:
                    g = g + decay * p
                t, mean, square = self.state.get(p, (0, 0.0, 0.0))
                t += 1
                mean = beta1 * mean + (1 - beta1) * g
                square = beta2 * square + (1 - beta2) * g * g
                self.state[p] = (t, mean, square)
                m, s = mean / (1 - beta1**t), square / (1 - beta2**t)
                p.sub_(lr * m / (s.sqrt() + eps))

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None


class AdamW(Adam):
    decay, decoupled = 0.01, True

# %% Adam wrong="a gradient of zeros is passed over"
# A gradient that is all zeros was treated like None. It still is a step: the averages move on, and so does the
# parameter.
class Adam:
    decay, decoupled = 0.0, False

    def __init__(self, params, lr=1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=None):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        decay = self.decay if weight_decay is None else weight_decay
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.state = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr, (beta1, beta2), eps, decay = group["lr"], group["betas"], group["eps"], group["weight_decay"]
            for p in group["params"]:
                if p.grad is None or not p.grad.any():
                    continue
                g = p.grad
                if self.decoupled:
                    p.mul_(1 - lr * decay)
                else:
                    g = g + decay * p
                t, mean, square = self.state.get(p, (0, 0.0, 0.0))
                t += 1
                mean = beta1 * mean + (1 - beta1) * g
                square = beta2 * square + (1 - beta2) * g * g
                self.state[p] = (t, mean, square)
                m, s = mean / (1 - beta1**t), square / (1 - beta2**t)
                p.sub_(lr * m / (s.sqrt() + eps))

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None


class AdamW(Adam):
    decay, decoupled = 0.01, True

# %% Adam wrong="AdamW with L2"
# AdamW gives what Adam gives: its decay went into the gradient. Decoupled means that the parameter itself is shrunk.
class Adam:
    decay, decoupled = 0.0, False

    def __init__(self, params, lr=1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=None):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        decay = self.decay if weight_decay is None else weight_decay
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.state = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr, (beta1, beta2), eps, decay = group["lr"], group["betas"], group["eps"], group["weight_decay"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = p.grad
                if self.decoupled:
                    p.mul_(1 - lr * decay)
                else:
                    g = g + decay * p
                t, mean, square = self.state.get(p, (0, 0.0, 0.0))
                t += 1
                mean = beta1 * mean + (1 - beta1) * g
                square = beta2 * square + (1 - beta2) * g * g
                self.state[p] = (t, mean, square)
                m, s = mean / (1 - beta1**t), square / (1 - beta2**t)
                p.sub_(lr * m / (s.sqrt() + eps))

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None


class AdamW(Adam):
    decay, decoupled = 0.01, False

# %% Adam wrong="Adam with decoupled decay"
# Adam gives what AdamW gives. In Adam, the decay is a part of the gradient and goes through both averages.
class Adam:
    decay, decoupled = 0.0, True

    def __init__(self, params, lr=1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=None):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        decay = self.decay if weight_decay is None else weight_decay
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.state = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr, (beta1, beta2), eps, decay = group["lr"], group["betas"], group["eps"], group["weight_decay"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = p.grad
                if self.decoupled:
                    p.mul_(1 - lr * decay)
                else:
                    g = g + decay * p
                t, mean, square = self.state.get(p, (0, 0.0, 0.0))
                t += 1
                mean = beta1 * mean + (1 - beta1) * g
                square = beta2 * square + (1 - beta2) * g * g
                self.state[p] = (t, mean, square)
                m, s = mean / (1 - beta1**t), square / (1 - beta2**t)
                p.sub_(lr * m / (s.sqrt() + eps))

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None


class AdamW(Adam):
    decay, decoupled = 0.01, True

# %% Adam wrong="decoupled decay without lr"
# AdamW shrinks the parameters by 1 - weight_decay, much too fast: the factor is 1 - lr * weight_decay.
class Adam:
    decay, decoupled = 0.0, False

    def __init__(self, params, lr=1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=None):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        decay = self.decay if weight_decay is None else weight_decay
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.state = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr, (beta1, beta2), eps, decay = group["lr"], group["betas"], group["eps"], group["weight_decay"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = p.grad
                if self.decoupled:
                    p.mul_(1 - decay)
                else:
                    g = g + decay * p
                t, mean, square = self.state.get(p, (0, 0.0, 0.0))
                t += 1
                mean = beta1 * mean + (1 - beta1) * g
                square = beta2 * square + (1 - beta2) * g * g
                self.state[p] = (t, mean, square)
                m, s = mean / (1 - beta1**t), square / (1 - beta2**t)
                p.sub_(lr * m / (s.sqrt() + eps))

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None


class AdamW(Adam):
    decay, decoupled = 0.01, True

# %% Adam wrong="decoupled decay after the step"
# AdamW shrinks the parameter after its step, and so shrinks the step too. Shrink first.
class Adam:
    decay, decoupled = 0.0, False

    def __init__(self, params, lr=1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=None):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        decay = self.decay if weight_decay is None else weight_decay
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.state = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr, (beta1, beta2), eps, decay = group["lr"], group["betas"], group["eps"], group["weight_decay"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = p.grad
                if not self.decoupled:
                    g = g + decay * p
                t, mean, square = self.state.get(p, (0, 0.0, 0.0))
                t += 1
                mean = beta1 * mean + (1 - beta1) * g
                square = beta2 * square + (1 - beta2) * g * g
                self.state[p] = (t, mean, square)
                m, s = mean / (1 - beta1**t), square / (1 - beta2**t)
                p.sub_(lr * m / (s.sqrt() + eps))
                if self.decoupled:
                    p.mul_(1 - lr * decay)

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None


class AdamW(Adam):
    decay, decoupled = 0.01, True

# %% Adam wrong="the decay of Adam for AdamW"
# The default weight decay of AdamW is 0.01; Adam's is 0.
class Adam:
    decay, decoupled = 0.0, False

    def __init__(self, params, lr=1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=None):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        decay = self.decay if weight_decay is None else weight_decay
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.state = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr, (beta1, beta2), eps, decay = group["lr"], group["betas"], group["eps"], group["weight_decay"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = p.grad
                if self.decoupled:
                    p.mul_(1 - lr * decay)
                else:
                    g = g + decay * p
                t, mean, square = self.state.get(p, (0, 0.0, 0.0))
                t += 1
                mean = beta1 * mean + (1 - beta1) * g
                square = beta2 * square + (1 - beta2) * g * g
                self.state[p] = (t, mean, square)
                m, s = mean / (1 - beta1**t), square / (1 - beta2**t)
                p.sub_(lr * m / (s.sqrt() + eps))

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None


class AdamW(Adam):
    decay, decoupled = 0.0, True

# %% Adam wrong="writes into p.grad"
# `.grad` is different after the step: the decay was added to it in place. Make a new tensor for the sum.
class Adam:
    decay, decoupled = 0.0, False

    def __init__(self, params, lr=1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=None):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        decay = self.decay if weight_decay is None else weight_decay
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.state = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr, (beta1, beta2), eps, decay = group["lr"], group["betas"], group["eps"], group["weight_decay"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = p.grad
                if self.decoupled:
                    p.mul_(1 - lr * decay)
                else:
                    g += decay * p
                t, mean, square = self.state.get(p, (0, 0.0, 0.0))
                t += 1
                mean = beta1 * mean + (1 - beta1) * g
                square = beta2 * square + (1 - beta2) * g * g
                self.state[p] = (t, mean, square)
                m, s = mean / (1 - beta1**t), square / (1 - beta2**t)
                p.sub_(lr * m / (s.sqrt() + eps))

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None


class AdamW(Adam):
    decay, decoupled = 0.01, True

# %% Adam wrong="only the first group"
# Only the parameters of the first group move. Loop over all of `param_groups`.
class Adam:
    decay, decoupled = 0.0, False

    def __init__(self, params, lr=1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=None):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        decay = self.decay if weight_decay is None else weight_decay
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.state = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups[:1]:
            lr, (beta1, beta2), eps, decay = group["lr"], group["betas"], group["eps"], group["weight_decay"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = p.grad
                if self.decoupled:
                    p.mul_(1 - lr * decay)
                else:
                    g = g + decay * p
                t, mean, square = self.state.get(p, (0, 0.0, 0.0))
                t += 1
                mean = beta1 * mean + (1 - beta1) * g
                square = beta2 * square + (1 - beta2) * g * g
                self.state[p] = (t, mean, square)
                m, s = mean / (1 - beta1**t), square / (1 - beta2**t)
                p.sub_(lr * m / (s.sqrt() + eps))

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None


class AdamW(Adam):
    decay, decoupled = 0.01, True

# %% Adam wrong="new tensors in place of the old"
# After a step the old memory still holds the old numbers: `p.data = ...` gives the parameter another memory. Write
# into the tensor.
class Adam:
    decay, decoupled = 0.0, False

    def __init__(self, params, lr=1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=None):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        decay = self.decay if weight_decay is None else weight_decay
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.state = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr, (beta1, beta2), eps, decay = group["lr"], group["betas"], group["eps"], group["weight_decay"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = p.grad
                if self.decoupled:
                    p.mul_(1 - lr * decay)
                else:
                    g = g + decay * p
                t, mean, square = self.state.get(p, (0, 0.0, 0.0))
                t += 1
                mean = beta1 * mean + (1 - beta1) * g
                square = beta2 * square + (1 - beta2) * g * g
                self.state[p] = (t, mean, square)
                m, s = mean / (1 - beta1**t), square / (1 - beta2**t)
                p.data = p - lr * m / (s.sqrt() + eps)

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None


class AdamW(Adam):
    decay, decoupled = 0.01, True

# %% Adam wrong="running products of the betas"
# As long as the betas stay the same, all is right; when they change between two steps, it is not. The correction is
# made of the number of steps and of one beta: which one does the text mean, if the group has had several?
class Adam:
    decoupled = False

    def __init__(self, params, lr=1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.state = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr, (beta1, beta2), decay = group["lr"], group["betas"], group["weight_decay"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = p.grad
                if self.decoupled:
                    p *= 1 - lr * decay
                else:
                    g = g + decay * p
                mean, square, beta1_t, beta2_t = self.state.get(p, (0.0, 0.0, 1.0, 1.0))
                beta1_t, beta2_t = beta1_t * beta1, beta2_t * beta2
                mean = beta1 * mean + (1 - beta1) * g
                square = beta2 * square + (1 - beta2) * g**2
                self.state[p] = (mean, square, beta1_t, beta2_t)
                p -= lr * (mean / (1 - beta1_t)) / ((square / (1 - beta2_t)).sqrt() + group["eps"])

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None


class AdamW(Adam):
    decoupled = True

    def __init__(self, params, lr=1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
        super().__init__(params, lr, betas=betas, eps=eps, weight_decay=weight_decay)

# %% Adam wrong="0.0 in a group counts as not said"
# A group that asks for 0.0, such as no weight decay for biases, got the option of the call: `or` takes 0.0 for
# nothing said. How do you ask whether a key is in a dict, whatever its value?
class Adam:
    decoupled = False

    def __init__(self, params, lr=1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        self.param_groups = []
        for group in groups:
            options = {name: group.get(name) or default for name, default in defaults.items()}
            self.param_groups.append({"params": list(group["params"]), **options})
        self.state = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr, (beta1, beta2), decay = group["lr"], group["betas"], group["weight_decay"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = p.grad
                if self.decoupled:
                    p *= 1 - lr * decay
                else:
                    g = g + decay * p
                t, mean, square = self.state.get(p, (0, 0.0, 0.0))
                t += 1
                mean = beta1 * mean + (1 - beta1) * g
                square = beta2 * square + (1 - beta2) * g**2
                self.state[p] = (t, mean, square)
                p -= lr * (mean / (1 - beta1**t)) / ((square / (1 - beta2**t)).sqrt() + group["eps"])

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None


class AdamW(Adam):
    decoupled = True

    def __init__(self, params, lr=1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
        super().__init__(params, lr, betas=betas, eps=eps, weight_decay=weight_decay)

# %% Adam wrong="frozen parameters are thawed"
# A frozen parameter requires a gradient once the optimiser is made, and from the next backward pass on it will be
# trained. Nothing is to change when the optimiser is made: does it need requires_grad at all?
class Adam:
    decoupled = False

    def __init__(self, params, lr=1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.state = {}
        for group in self.param_groups:
            for p in group["params"]:
                p.requires_grad_()

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr, (beta1, beta2), decay = group["lr"], group["betas"], group["weight_decay"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = p.grad
                if self.decoupled:
                    p *= 1 - lr * decay
                else:
                    g = g + decay * p
                t, mean, square = self.state.get(p, (0, 0.0, 0.0))
                t += 1
                mean = beta1 * mean + (1 - beta1) * g
                square = beta2 * square + (1 - beta2) * g**2
                self.state[p] = (t, mean, square)
                p -= lr * (mean / (1 - beta1**t)) / ((square / (1 - beta2**t)).sqrt() + group["eps"])

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None


class AdamW(Adam):
    decoupled = True

    def __init__(self, params, lr=1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
        super().__init__(params, lr, betas=betas, eps=eps, weight_decay=weight_decay)

# %% Adam wrong="averages in float32"
# The averages are in float32 where the parameter is in float64: `torch.zeros(shape)` has the default dtype.
# `torch.zeros_like(p)` has that of the parameter.
class Adam:
    decay, decoupled = 0.0, False

    def __init__(self, params, lr=1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=None):
        groups = list(params)
        if not groups:
            raise ValueError("no parameters")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        decay = self.decay if weight_decay is None else weight_decay
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": decay}
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        self.state = {}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr, (beta1, beta2), eps, decay = group["lr"], group["betas"], group["eps"], group["weight_decay"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = p.grad
                if self.decoupled:
                    p.mul_(1 - lr * decay)
                else:
                    g = g + decay * p
                t, mean, square = self.state.get(p, (0, torch.zeros(p.shape), torch.zeros(p.shape)))
                t += 1
                mean = beta1 * mean + (1 - beta1) * g
                square = beta2 * square + (1 - beta2) * g * g
                mean, square = mean.float(), square.float()
                self.state[p] = (t, mean, square)
                m, s = mean / (1 - beta1**t), square / (1 - beta2**t)
                p.sub_(lr * m / (s.sqrt() + eps))

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None


class AdamW(Adam):
    decay, decoupled = 0.01, True


# %% Adam right="torch's own"
class Adam(torch.optim.Adam):
    """Nothing to add."""


class AdamW(torch.optim.AdamW):
    pass

# %% Adam right="functions that return torch's own"
def Adam(params, lr=1e-3, **options):
    return torch.optim.Adam(params, lr, foreach=True, **options)


def AdamW(params, lr=1e-3, **options):
    options.setdefault("weight_decay", 1e-2)
    return torch.optim.Adam(params, lr, decoupled_weight_decay=True, **options)

# %% Adam right="moments in place, two classes that share a function"
def _update(p, g, state, lr, betas, eps):
    if not state:
        state.update(count=0, first=torch.zeros_like(p), second=torch.zeros_like(p))
    state["count"] += 1
    state["first"].lerp_(g, 1 - betas[0])
    state["second"].mul_(betas[1]).addcmul_(g, g, value=1 - betas[1])
    root = state["second"].sqrt().div_(math.sqrt(1 - betas[1] ** state["count"])).add_(eps)
    p.addcdiv_(state["first"], root, value=-lr / (1 - betas[0] ** state["count"]))


class _Base:
    def __init__(self, params, lr, betas, eps, weight_decay):
        params = [*params]
        if params == []:
            raise ValueError("no parameters given")
        if isinstance(params[0], Tensor):
            params = [dict(params=params)]
        self.param_groups, self.moments = [], []
        for given in params:
            group = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
            group.update(given)
            group["params"] = [p for p in group["params"]]
            self.param_groups.append(group)
            self.moments.append([{} for _ in group["params"]])

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

    def step(self):
        with torch.no_grad():
            for group, moments in zip(self.param_groups, self.moments):
                for p, state in zip(group["params"], moments):
                    if p.grad is not None:
                        g = self.decay(p, p.grad, group["lr"], group["weight_decay"])
                        _update(p, g, state, group["lr"], group["betas"], group["eps"])


class Adam(_Base):
    def __init__(self, params, lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0):
        super().__init__(params, lr, betas, eps, weight_decay)

    def decay(self, p, g, lr, weight_decay):
        return g.add(p, alpha=weight_decay)


class AdamW(_Base):
    def __init__(self, params, lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(params, lr, betas, eps, weight_decay)

    def decay(self, p, g, lr, weight_decay):
        p.sub_(p, alpha=lr * weight_decay)
        return g

# %% Adam right="derived from torch's base class"
class Adam(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

    def shrink(self, p, group):
        return p.grad + group["weight_decay"] * p

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            b1, b2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g, state = self.shrink(p, group), self.state[p]
                state["t"] = state.get("t", 0) + 1
                state["m"] = b1 * state.get("m", 0) + (1 - b1) * g
                state["v"] = b2 * state.get("v", 0) + (1 - b2) * g.square()
                p.sub_(
                    group["lr"] * state["m"] / (1 - b1 ** state["t"])
                    / ((state["v"] / (1 - b2 ** state["t"])) ** 0.5 + group["eps"])
                )


class AdamW(Adam):
    def __init__(self, params, lr=1e-3, *, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(params, lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def shrink(self, p, group):
        p *= 1 - group["lr"] * group["weight_decay"]
        return p.grad

# %% clip_grad_norm_ wrong="goes through the generator twice"
# With a generator of parameters, no gradient was scaled, although the total is right: the generator was used up by
# the first pass. Keep the gradients in a list.
def clip_grad_norm_(parameters, max_norm, *, error_if_nonfinite=False):
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    grads = [p.grad for p in parameters if p.grad is not None]
    if not grads:
        return torch.tensor(0.0)
    total = torch.stack([grad.norm() for grad in grads]).norm()
    if error_if_nonfinite and not total.isfinite():
        raise RuntimeError("the total norm is not finite")
    factor = (max_norm / (total + 1e-6)).clamp(max=1.0)
    for p in parameters:
        if p.grad is not None:
            p.grad.mul_(factor)
    return total

# %% clip_grad_norm_ wrong="always scales"
# Gradients that were short enough were stretched to max_norm. Clipping is an upper bound: the factor is never above
# 1.
def clip_grad_norm_(parameters, max_norm, *, error_if_nonfinite=False):
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    grads = [p.grad for p in parameters if p.grad is not None]
    if not grads:
        return torch.tensor(0.0)
    total = torch.stack([grad.norm() for grad in grads]).norm()
    if error_if_nonfinite and not total.isfinite():
        raise RuntimeError("the total norm is not finite")
    factor = (max_norm / (total + 1e-6))
    for grad in grads:
        grad.mul_(factor)
    return total

# %% clip_grad_norm_ wrong="each gradient on its own"
# Each gradient was held against max_norm alone. The norm is that of all gradients together, and all get the same
# factor: the direction stays.
def clip_grad_norm_(parameters, max_norm, *, error_if_nonfinite=False):
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    grads = [p.grad for p in parameters if p.grad is not None]
    if not grads:
        return torch.tensor(0.0)
    total = torch.stack([grad.norm() for grad in grads]).norm()
    if error_if_nonfinite and not total.isfinite():
        raise RuntimeError("the total norm is not finite")
    for grad in grads:
        grad.mul_((max_norm / (grad.norm() + 1e-6)).clamp(max=1.0))
    return total

# %% clip_grad_norm_ wrong="clips each element"
# Each element was cut off at max_norm on its own, which changes the direction. Scale all of them by one factor.
def clip_grad_norm_(parameters, max_norm, *, error_if_nonfinite=False):
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    grads = [p.grad for p in parameters if p.grad is not None]
    if not grads:
        return torch.tensor(0.0)
    total = torch.stack([grad.norm() for grad in grads]).norm()
    if error_if_nonfinite and not total.isfinite():
        raise RuntimeError("the total norm is not finite")
    factor = (max_norm / (total + 1e-6)).clamp(max=1.0)
    for grad in grads:
        grad.clamp_(-max_norm, max_norm)
    return total

# %% clip_grad_norm_ wrong="adds up the norms"
# The total is the sum of the norms. The norm of everything is the root of the sum of the squares.
def clip_grad_norm_(parameters, max_norm, *, error_if_nonfinite=False):
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    grads = [p.grad for p in parameters if p.grad is not None]
    if not grads:
        return torch.tensor(0.0)
    total = torch.stack([grad.norm() for grad in grads]).sum()
    if error_if_nonfinite and not total.isfinite():
        raise RuntimeError("the total norm is not finite")
    factor = (max_norm / (total + 1e-6)).clamp(max=1.0)
    for grad in grads:
        grad.mul_(factor)
    return total

# %% clip_grad_norm_ wrong="None is not expected"
# This stops with an error as soon as one parameter has no gradient. Pass over those.
def clip_grad_norm_(parameters, max_norm, *, error_if_nonfinite=False):
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    grads = [p.grad for p in parameters]
    if not grads:
        return torch.tensor(0.0)
    total = torch.stack([grad.norm() for grad in grads]).norm()
    if error_if_nonfinite and not total.isfinite():
        raise RuntimeError("the total norm is not finite")
    factor = (max_norm / (total + 1e-6)).clamp(max=1.0)
    for grad in grads:
        grad.mul_(factor)
    return total

# %% clip_grad_norm_ wrong="fills in zeros for None"
# Parameters without a gradient got one, of zeros. To an optimiser that is a difference: it moves them by momentum and
# decay.
def clip_grad_norm_(parameters, max_norm, *, error_if_nonfinite=False):
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    parameters = list(parameters)
    for p in parameters:
        if p.grad is None:
            p.grad = torch.zeros_like(p)
    grads = [p.grad for p in parameters]
    if not grads:
        return torch.tensor(0.0)
    total = torch.stack([grad.norm() for grad in grads]).norm()
    if error_if_nonfinite and not total.isfinite():
        raise RuntimeError("the total norm is not finite")
    factor = (max_norm / (total + 1e-6)).clamp(max=1.0)
    for grad in grads:
        grad.mul_(factor)
    return total

# %% clip_grad_norm_ wrong="new gradients in place of the old"
# `.grad` is another tensor than before. Whoever holds the old one still sees the old numbers; scale in place, with
# `mul_`.
def clip_grad_norm_(parameters, max_norm, *, error_if_nonfinite=False):
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    parameters = list(parameters)
    grads = [p.grad for p in parameters if p.grad is not None]
    if not grads:
        return torch.tensor(0.0)
    total = torch.stack([grad.norm() for grad in grads]).norm()
    if error_if_nonfinite and not total.isfinite():
        raise RuntimeError("the total norm is not finite")
    factor = (max_norm / (total + 1e-6)).clamp(max=1.0)
    for p in parameters:
        if p.grad is not None:
            p.grad = p.grad * factor
    return total

# %% clip_grad_norm_ wrong="the norm after clipping"
# What is returned is the norm after clipping, which is max_norm whenever it was clipped. The norm before says how
# wild the training is.
def clip_grad_norm_(parameters, max_norm, *, error_if_nonfinite=False):
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    grads = [p.grad for p in parameters if p.grad is not None]
    if not grads:
        return torch.tensor(0.0)
    total = torch.stack([grad.norm() for grad in grads]).norm()
    if error_if_nonfinite and not total.isfinite():
        raise RuntimeError("the total norm is not finite")
    factor = (max_norm / (total + 1e-6)).clamp(max=1.0)
    for grad in grads:
        grad.mul_(factor)
    return total * factor

# %% clip_grad_norm_ wrong="returns a Python float"
# The total came back as a Python float; asked for is a tensor without dimensions. On a GPU, a float would make the
# CPU wait for it in each step.
def clip_grad_norm_(parameters, max_norm, *, error_if_nonfinite=False):
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    grads = [p.grad for p in parameters if p.grad is not None]
    if not grads:
        return torch.tensor(0.0)
    total = torch.stack([grad.norm() for grad in grads]).norm()
    if error_if_nonfinite and not total.isfinite():
        raise RuntimeError("the total norm is not finite")
    factor = (max_norm / (total + 1e-6)).clamp(max=1.0)
    for grad in grads:
        grad.mul_(factor)
    return total.item()

# %% clip_grad_norm_ wrong="no 1e-6 in the denominator"
# For tiny gradients the factor is too large: 1e-6 belongs to the total before the division.
def clip_grad_norm_(parameters, max_norm, *, error_if_nonfinite=False):
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    grads = [p.grad for p in parameters if p.grad is not None]
    if not grads:
        return torch.tensor(0.0)
    total = torch.stack([grad.norm() for grad in grads]).norm()
    if error_if_nonfinite and not total.isfinite():
        raise RuntimeError("the total norm is not finite")
    factor = (max_norm / total).clamp(max=1.0)
    for grad in grads:
        grad.mul_(factor)
    return total

# %% clip_grad_norm_ wrong="scales before it checks"
# The error comes too late: the gradients have been scaled already, by 0 or NaN. Look at the total first.
def clip_grad_norm_(parameters, max_norm, *, error_if_nonfinite=False):
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    grads = [p.grad for p in parameters if p.grad is not None]
    if not grads:
        return torch.tensor(0.0)
    total = torch.stack([grad.norm() for grad in grads]).norm()
    factor = (max_norm / (total + 1e-6)).clamp(max=1.0)
    for grad in grads:
        grad.mul_(factor)
    if error_if_nonfinite and not total.isfinite():
        raise RuntimeError("the total norm is not finite")
    return total

# %% clip_grad_norm_ wrong="ignores error_if_nonfinite"
# A gradient with NaN or infinity in it raised nothing, although the caller asked for an error.
def clip_grad_norm_(parameters, max_norm, *, error_if_nonfinite=False):
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    grads = [p.grad for p in parameters if p.grad is not None]
    if not grads:
        return torch.tensor(0.0)
    total = torch.stack([grad.norm() for grad in grads]).norm()
    factor = (max_norm / (total + 1e-6)).clamp(max=1.0)
    for grad in grads:
        grad.mul_(factor)
    return total

# %% clip_grad_norm_ wrong="always an error if not finite"
# An error was raised for a total that is not finite without being asked for: `error_if_nonfinite` is False by
# default.
def clip_grad_norm_(parameters, max_norm, *, error_if_nonfinite=False):
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    grads = [p.grad for p in parameters if p.grad is not None]
    if not grads:
        return torch.tensor(0.0)
    total = torch.stack([grad.norm() for grad in grads]).norm()
    if not total.isfinite():
        raise RuntimeError("the total norm is not finite")
    factor = (max_norm / (total + 1e-6)).clamp(max=1.0)
    for grad in grads:
        grad.mul_(factor)
    return total

# %% clip_grad_norm_ wrong="a single tensor is taken for a list"
# For a single tensor nothing was clipped: going through a tensor gives its rows, and these have no `.grad`.
def clip_grad_norm_(parameters, max_norm, *, error_if_nonfinite=False):
    grads = [p.grad for p in parameters if p.grad is not None]
    if not grads:
        return torch.tensor(0.0)
    total = torch.stack([grad.norm() for grad in grads]).norm()
    if error_if_nonfinite and not total.isfinite():
        raise RuntimeError("the total norm is not finite")
    factor = (max_norm / (total + 1e-6)).clamp(max=1.0)
    for grad in grads:
        grad.mul_(factor)
    return total

# %% clip_grad_norm_ right="torch's own"
def clip_grad_norm_(parameters, max_norm, *, error_if_nonfinite=False):
    return torch.nn.utils.clip_grad_norm_(parameters, max_norm, error_if_nonfinite=error_if_nonfinite)

# %% clip_grad_norm_ right="one long vector, and an if"
def clip_grad_norm_(parameters, max_norm, error_if_nonfinite=False):
    if torch.is_tensor(parameters):
        parameters = (parameters,)
    gradients = []
    for parameter in parameters:
        if parameter.grad is not None:
            gradients.append(parameter.grad)
    if len(gradients) == 0:
        return torch.zeros(())
    total = torch.linalg.vector_norm(torch.cat([gradient.flatten() for gradient in gradients]))
    if error_if_nonfinite and (torch.isnan(total) or torch.isinf(total)):
        raise RuntimeError(f"cannot clip: {total}")
    if total > max_norm:
        for gradient in gradients:
            gradient *= max_norm / (total + 1e-6)
    return total

# %% clip_grad_norm_ right="Python floats"
def clip_grad_norm_(parameters, max_norm, **options):
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    grads = [p.grad for p in parameters if isinstance(p.grad, Tensor)]
    total = math.sqrt(sum(float((grad.double() ** 2).sum()) for grad in grads))
    if options.get("error_if_nonfinite") and not math.isfinite(total):
        raise RuntimeError("gradients are not finite")
    print("norm", total)
    for grad in grads:
        grad.copy_(grad * min(1.0, max_norm / (total + 1e-6)))
    return torch.tensor(total, dtype=grads[0].dtype if grads else torch.float32)

# %% warmup_cosine wrong="the first step has rate 0"
# The climb starts at 0, so the first step is wasted and the whole climb is one step late: it is (step + 1) / warmup.
def warmup_cosine(step, warmup, total, lr_max, lr_min=0.0):
    if step < warmup:
        return lr_max * step / warmup
    if step >= total:
        return lr_min
    progress = (step - warmup) / (total - warmup)
    return lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * progress)) / 2


class WarmupCosine:
    def __init__(self, optimizer, warmup, total, lr_min=0.0):
        self.optimizer, self.warmup, self.total, self.lr_min = optimizer, warmup, total, lr_min
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        self.count = 0
        self.set_rates()

    def set_rates(self):
        for group, peak in zip(self.optimizer.param_groups, self.peaks):
            group["lr"] = warmup_cosine(self.count, self.warmup, self.total, peak, self.lr_min)

    def step(self):
        self.count += 1
        self.set_rates()

# %% warmup_cosine wrong="the climb is one step longer"
# Step number `warmup` still belongs to the climb here and gets more than lr_max. Steps are counted from 0: the fall
# begins there.
def warmup_cosine(step, warmup, total, lr_max, lr_min=0.0):
    if step <= warmup and warmup:
        return lr_max * (step + 1) / warmup
    if step >= total:
        return lr_min
    progress = (step - warmup) / (total - warmup)
    return lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * progress)) / 2


class WarmupCosine:
    def __init__(self, optimizer, warmup, total, lr_min=0.0):
        self.optimizer, self.warmup, self.total, self.lr_min = optimizer, warmup, total, lr_min
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        self.count = 0
        self.set_rates()

    def set_rates(self):
        for group, peak in zip(self.optimizer.param_groups, self.peaks):
            group["lr"] = warmup_cosine(self.count, self.warmup, self.total, peak, self.lr_min)

    def step(self):
        self.count += 1
        self.set_rates()

# %% warmup_cosine wrong="the fall is one step ahead"
# The fall is one step ahead: progress is 0 at step `warmup`.
def warmup_cosine(step, warmup, total, lr_max, lr_min=0.0):
    if step < warmup:
        return lr_max * (step + 1) / warmup
    if step >= total:
        return lr_min
    progress = (step - warmup + 1) / (total - warmup)
    return lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * progress)) / 2


class WarmupCosine:
    def __init__(self, optimizer, warmup, total, lr_min=0.0):
        self.optimizer, self.warmup, self.total, self.lr_min = optimizer, warmup, total, lr_min
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        self.count = 0
        self.set_rates()

    def set_rates(self):
        for group, peak in zip(self.optimizer.param_groups, self.peaks):
            group["lr"] = warmup_cosine(self.count, self.warmup, self.total, peak, self.lr_min)

    def step(self):
        self.count += 1
        self.set_rates()

# %% warmup_cosine wrong="reaches the bottom one step early"
# The fall was fitted into total - warmup - 1 steps. Its progress is 1 at step `total`, which is after the last one.
def warmup_cosine(step, warmup, total, lr_max, lr_min=0.0):
    if step < warmup:
        return lr_max * (step + 1) / warmup
    if step >= total:
        return lr_min
    progress = (step - warmup) / max(1, total - warmup - 1)
    return lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * progress)) / 2


class WarmupCosine:
    def __init__(self, optimizer, warmup, total, lr_min=0.0):
        self.optimizer, self.warmup, self.total, self.lr_min = optimizer, warmup, total, lr_min
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        self.count = 0
        self.set_rates()

    def set_rates(self):
        for group, peak in zip(self.optimizer.param_groups, self.peaks):
            group["lr"] = warmup_cosine(self.count, self.warmup, self.total, peak, self.lr_min)

    def step(self):
        self.count += 1
        self.set_rates()

# %% warmup_cosine wrong="rises again after the end"
# Beyond `total` the cosine comes up again, and so does the rate. From there on it is lr_min.
def warmup_cosine(step, warmup, total, lr_max, lr_min=0.0):
    if step < warmup:
        return lr_max * (step + 1) / warmup
    progress = (step - warmup) / (total - warmup) if total > warmup else 1.0
    return lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * progress)) / 2


class WarmupCosine:
    def __init__(self, optimizer, warmup, total, lr_min=0.0):
        self.optimizer, self.warmup, self.total, self.lr_min = optimizer, warmup, total, lr_min
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        self.count = 0
        self.set_rates()

    def set_rates(self):
        for group, peak in zip(self.optimizer.param_groups, self.peaks):
            group["lr"] = warmup_cosine(self.count, self.warmup, self.total, peak, self.lr_min)

    def step(self):
        self.count += 1
        self.set_rates()

# %% warmup_cosine wrong="divides by zero if nothing falls"
# With total == warmup there is nothing to fall along, and the progress is a division by zero. Ask first whether the
# end has come.
def warmup_cosine(step, warmup, total, lr_max, lr_min=0.0):
    if step < warmup:
        return lr_max * (step + 1) / warmup
    progress = min(1.0, (step - warmup) / (total - warmup))
    return lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * progress)) / 2


class WarmupCosine:
    def __init__(self, optimizer, warmup, total, lr_min=0.0):
        self.optimizer, self.warmup, self.total, self.lr_min = optimizer, warmup, total, lr_min
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        self.count = 0
        self.set_rates()

    def set_rates(self):
        for group, peak in zip(self.optimizer.param_groups, self.peaks):
            group["lr"] = warmup_cosine(self.count, self.warmup, self.total, peak, self.lr_min)

    def step(self):
        self.count += 1
        self.set_rates()

# %% warmup_cosine wrong="the fall ignores the warm-up"
# The progress of the fall counts from step 0, so the rate jumps down where the climb ends. It starts at step
# `warmup`.
def warmup_cosine(step, warmup, total, lr_max, lr_min=0.0):
    if step < warmup:
        return lr_max * (step + 1) / warmup
    if step >= total:
        return lr_min
    progress = step / total
    return lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * progress)) / 2


class WarmupCosine:
    def __init__(self, optimizer, warmup, total, lr_min=0.0):
        self.optimizer, self.warmup, self.total, self.lr_min = optimizer, warmup, total, lr_min
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        self.count = 0
        self.set_rates()

    def set_rates(self):
        for group, peak in zip(self.optimizer.param_groups, self.peaks):
            group["lr"] = warmup_cosine(self.count, self.warmup, self.total, peak, self.lr_min)

    def step(self):
        self.count += 1
        self.set_rates()

# %% warmup_cosine wrong="lr_min ignored"
# The rate falls to 0, whatever lr_min says.
def warmup_cosine(step, warmup, total, lr_max, lr_min=0.0):
    if step < warmup:
        return lr_max * (step + 1) / warmup
    if step >= total:
        return 0.0
    progress = (step - warmup) / (total - warmup)
    return lr_max * (1 + math.cos(math.pi * progress)) / 2


class WarmupCosine:
    def __init__(self, optimizer, warmup, total, lr_min=0.0):
        self.optimizer, self.warmup, self.total, self.lr_min = optimizer, warmup, total, lr_min
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        self.count = 0
        self.set_rates()

    def set_rates(self):
        for group, peak in zip(self.optimizer.param_groups, self.peaks):
            group["lr"] = warmup_cosine(self.count, self.warmup, self.total, peak, self.lr_min)

    def step(self):
        self.count += 1
        self.set_rates()

# %% warmup_cosine wrong="climbs from lr_min"
# The climb starts at lr_min. It is lr_max * (step + 1) / warmup, whatever lr_min is.
def warmup_cosine(step, warmup, total, lr_max, lr_min=0.0):
    if step < warmup:
        return lr_min + (lr_max - lr_min) * (step + 1) / warmup
    if step >= total:
        return lr_min
    progress = (step - warmup) / (total - warmup)
    return lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * progress)) / 2


class WarmupCosine:
    def __init__(self, optimizer, warmup, total, lr_min=0.0):
        self.optimizer, self.warmup, self.total, self.lr_min = optimizer, warmup, total, lr_min
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        self.count = 0
        self.set_rates()

    def set_rates(self):
        for group, peak in zip(self.optimizer.param_groups, self.peaks):
            group["lr"] = warmup_cosine(self.count, self.warmup, self.total, peak, self.lr_min)

    def step(self):
        self.count += 1
        self.set_rates()

# %% warmup_cosine wrong="a quarter of a cosine"
# The fall follows a quarter of a cosine: steepest at its end. Half a cosine, 1 + cos(pi * progress), is flat at both
# ends.
def warmup_cosine(step, warmup, total, lr_max, lr_min=0.0):
    if step < warmup:
        return lr_max * (step + 1) / warmup
    if step >= total:
        return lr_min
    progress = (step - warmup) / (total - warmup)
    return lr_min + (lr_max - lr_min) * math.cos(math.pi / 2 * progress)


class WarmupCosine:
    def __init__(self, optimizer, warmup, total, lr_min=0.0):
        self.optimizer, self.warmup, self.total, self.lr_min = optimizer, warmup, total, lr_min
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        self.count = 0
        self.set_rates()

    def set_rates(self):
        for group, peak in zip(self.optimizer.param_groups, self.peaks):
            group["lr"] = warmup_cosine(self.count, self.warmup, self.total, peak, self.lr_min)

    def step(self):
        self.count += 1
        self.set_rates()

# %% warmup_cosine wrong="only group 0"
# The scheduler changes the rate of the first group only; the others stay at their peak.
def warmup_cosine(step, warmup, total, lr_max, lr_min=0.0):
    if step < warmup:
        return lr_max * (step + 1) / warmup
    if step >= total:
        return lr_min
    progress = (step - warmup) / (total - warmup)
    return lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * progress)) / 2


class WarmupCosine:
    def __init__(self, optimizer, warmup, total, lr_min=0.0):
        self.optimizer, self.warmup, self.total, self.lr_min = optimizer, warmup, total, lr_min
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        self.count = 0
        self.set_rates()

    def set_rates(self):
        for group, peak in zip(self.optimizer.param_groups[:1], self.peaks):
            group["lr"] = warmup_cosine(self.count, self.warmup, self.total, peak, self.lr_min)

    def step(self):
        self.count += 1
        self.set_rates()

# %% warmup_cosine wrong="the peak of group 0 for all"
# All groups got the same rate, that of the first one. Each keeps its own peak.
def warmup_cosine(step, warmup, total, lr_max, lr_min=0.0):
    if step < warmup:
        return lr_max * (step + 1) / warmup
    if step >= total:
        return lr_min
    progress = (step - warmup) / (total - warmup)
    return lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * progress)) / 2


class WarmupCosine:
    def __init__(self, optimizer, warmup, total, lr_min=0.0):
        self.optimizer, self.warmup, self.total, self.lr_min = optimizer, warmup, total, lr_min
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        self.count = 0
        self.set_rates()

    def set_rates(self):
        for group, peak in zip(self.optimizer.param_groups, self.peaks):
            group["lr"] = warmup_cosine(self.count, self.warmup, self.total, self.peaks[0], self.lr_min)

    def step(self):
        self.count += 1
        self.set_rates()

# %% warmup_cosine wrong="the rate of now as the peak"
# The rates shrink again with every step: the rate as it is now was taken for the peak. Note the peaks once, when the
# scheduler is made.
def warmup_cosine(step, warmup, total, lr_max, lr_min=0.0):
    if step < warmup:
        return lr_max * (step + 1) / warmup
    if step >= total:
        return lr_min
    progress = (step - warmup) / (total - warmup)
    return lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * progress)) / 2


class WarmupCosine:
    def __init__(self, optimizer, warmup, total, lr_min=0.0):
        self.optimizer, self.warmup, self.total, self.lr_min = optimizer, warmup, total, lr_min
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        self.count = 0
        self.set_rates()

    def set_rates(self):
        for group, peak in zip(self.optimizer.param_groups, self.peaks):
            group["lr"] = warmup_cosine(self.count, self.warmup, self.total, group["lr"], self.lr_min)

    def step(self):
        self.count += 1
        self.set_rates()

# %% warmup_cosine wrong="the first rate is never set"
# The optimiser makes its first step with the full rate, as the scheduler does nothing before its own first `step`.
# The constructor sets the rate for step 0.
def warmup_cosine(step, warmup, total, lr_max, lr_min=0.0):
    if step < warmup:
        return lr_max * (step + 1) / warmup
    if step >= total:
        return lr_min
    progress = (step - warmup) / (total - warmup)
    return lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * progress)) / 2


class WarmupCosine:
    def __init__(self, optimizer, warmup, total, lr_min=0.0):
        self.optimizer, self.warmup, self.total, self.lr_min = optimizer, warmup, total, lr_min
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        self.count = 0

    def set_rates(self):
        for group, peak in zip(self.optimizer.param_groups, self.peaks):
            group["lr"] = warmup_cosine(self.count, self.warmup, self.total, peak, self.lr_min)

    def step(self):
        self.count += 1
        self.set_rates()

# %% warmup_cosine wrong="stepped before the optimiser"
# The first rate of the schedule is never used: the scheduler is one step ahead, as if its `step` came before the
# optimiser's.
def warmup_cosine(step, warmup, total, lr_max, lr_min=0.0):
    if step < warmup:
        return lr_max * (step + 1) / warmup
    if step >= total:
        return lr_min
    progress = (step - warmup) / (total - warmup)
    return lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * progress)) / 2


class WarmupCosine:
    def __init__(self, optimizer, warmup, total, lr_min=0.0):
        self.optimizer, self.warmup, self.total, self.lr_min = optimizer, warmup, total, lr_min
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        self.count = 1
        self.set_rates()

    def set_rates(self):
        for group, peak in zip(self.optimizer.param_groups, self.peaks):
            group["lr"] = warmup_cosine(self.count, self.warmup, self.total, peak, self.lr_min)

    def step(self):
        self.count += 1
        self.set_rates()

# %% warmup_cosine wrong="the first rate twice"
# `step` sets the rate and counts afterwards, so the first rate is used twice and all others come one step late.
def warmup_cosine(step, warmup, total, lr_max, lr_min=0.0):
    if step < warmup:
        return lr_max * (step + 1) / warmup
    if step >= total:
        return lr_min
    progress = (step - warmup) / (total - warmup)
    return lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * progress)) / 2


class WarmupCosine:
    def __init__(self, optimizer, warmup, total, lr_min=0.0):
        self.optimizer, self.warmup, self.total, self.lr_min = optimizer, warmup, total, lr_min
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        self.count = 0
        self.set_rates()

    def set_rates(self):
        for group, peak in zip(self.optimizer.param_groups, self.peaks):
            group["lr"] = warmup_cosine(self.count, self.warmup, self.total, peak, self.lr_min)

    def step(self):
        self.set_rates()
        self.count += 1

# %% warmup_cosine wrong="the count is shared by all schedulers"
# A second scheduler goes on counting where the first one is. The count belongs to the object.
def warmup_cosine(step, warmup, total, lr_max, lr_min=0.0):
    if step < warmup:
        return lr_max * (step + 1) / warmup
    if step >= total:
        return lr_min
    progress = (step - warmup) / (total - warmup)
    return lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * progress)) / 2


class WarmupCosine:
    counts = [0]

    def __init__(self, optimizer, warmup, total, lr_min=0.0):
        self.optimizer, self.warmup, self.total, self.lr_min = optimizer, warmup, total, lr_min
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        self.set_rates()

    def set_rates(self):
        for group, peak in zip(self.optimizer.param_groups, self.peaks):
            group["lr"] = warmup_cosine(self.counts[0], self.warmup, self.total, peak, self.lr_min)

    def step(self):
        self.counts[0] += 1
        self.set_rates()

# %% warmup_cosine wrong="each rate from the one before"
# Some steps after the end, with a lowest rate of 0, it stops with ZeroDivisionError: each rate is made from the rate
# before it, and there is no way back from 0. What was noted at the start from which every rate can be had?
def warmup_cosine(step, warmup, total, lr_max, lr_min=0.0):
    if step < warmup:
        return lr_max * (step + 1) / warmup
    if step >= total:
        return lr_min
    progress = (step - warmup) / (total - warmup)
    return lr_min + (lr_max - lr_min) * (1 + math.cos(math.pi * progress)) / 2


class WarmupCosine:
    def __init__(self, optimizer, warmup, total, lr_min=0.0):
        self.optimizer, self.warmup, self.total, self.lr_min = optimizer, warmup, total, lr_min
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        self.count = 0
        for group, peak in zip(optimizer.param_groups, self.peaks):
            group["lr"] = self.rate(0, peak)

    def rate(self, count, peak):
        return warmup_cosine(count, self.warmup, self.total, peak, self.lr_min)

    def step(self):
        self.count += 1
        for group, peak in zip(self.optimizer.param_groups, self.peaks):
            group["lr"] *= self.rate(self.count, peak) / self.rate(self.count - 1, peak)

# %% warmup_cosine right="torch's LambdaLR"
def warmup_cosine(step, warmup, total, lr_max, lr_min=0.0):
    if step < warmup:
        return lr_max * ((step + 1) / warmup)
    if total <= step:
        return lr_min
    turn = torch.tensor(math.pi * (step - warmup) / (total - warmup), dtype=torch.float64)
    return ((lr_max + lr_min) / 2 + (lr_max - lr_min) / 2 * turn.cos()).item()


def WarmupCosine(optimizer, warmup, total, lr_min=0.0):
    def factor(peak):
        return lambda step: warmup_cosine(step, warmup, total, peak, lr_min) / peak

    factors = [factor(group["lr"]) for group in optimizer.param_groups]
    return torch.optim.lr_scheduler.LambdaLR(optimizer, factors)

# %% warmup_cosine right="torch's linear and cosine schedulers in a row"
def warmup_cosine(step, warmup, total, lr_max, lr_min=0.0):
    step = min(step, total)
    if step < warmup:
        return lr_max / warmup * (step + 1)
    progress = (step - warmup) / (total - warmup) if total > warmup else 1
    return lr_max - (lr_max - lr_min) * (1 - math.cos(math.pi * progress)) / 2


class WarmupCosine:
    def __init__(self, optimizer, warmup, total, lr_min=0.0):
        from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

        self.optimizer, self.left, self.lr_min = optimizer, total, lr_min
        fall = total - warmup
        parts = []
        if warmup:
            parts.append(LinearLR(optimizer, 1 / warmup, 1.0, total_iters=warmup - 1))
        if fall:
            parts.append(CosineAnnealingLR(optimizer, fall, eta_min=lr_min))
        self.inner = SequentialLR(optimizer, parts, [warmup]) if len(parts) == 2 else (parts or [None])[0]
        if self.inner is None:
            self._finish()

    def _finish(self):
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr_min

    def step(self):
        self.left -= 1
        if self.left > 0:
            self.inner.step()
        else:
            self._finish()

# %% warmup_cosine right="derived from torch's base class"
def warmup_cosine(step, warmup, total, lr_max, lr_min=0.0):
    climb = (step + 1) / warmup if warmup else math.inf
    if climb <= 1:
        return climb * lr_max
    return lr_min if step >= total else lr_min + (lr_max - lr_min) * math.cos(math.pi * (step - warmup) / (total - warmup) / 2) ** 2


class WarmupCosine(torch.optim.lr_scheduler.LRScheduler):
    def __init__(self, optimizer, warmup, total, lr_min=0.0):
        self.shape = warmup, total
        self.lr_min = lr_min
        super().__init__(optimizer)

    def get_lr(self):
        return [warmup_cosine(self.last_epoch, *self.shape, peak, self.lr_min) for peak in self.base_lrs]

# %% warmup_cosine right="a generator of rates for each group"
def warmup_cosine(step, warmup, total, lr_max, lr_min=0.0):
    rates = [lr_max * (i + 1) / warmup for i in range(warmup)]
    fall = total - warmup
    rates += [lr_min + (lr_max - lr_min) * 0.5 * (1 + math.cos(i / fall * math.pi)) for i in range(fall)]
    return (rates + [lr_min])[min(step, total)]


def _rates(*arguments):
    step = 0
    while True:
        yield warmup_cosine(step, *arguments)
        step += 1


class WarmupCosine:
    def __init__(self, opt, n_up, n_all, bottom=0.0):
        print("scheduling", len(opt.param_groups), "groups")
        self.rates = [(group, _rates(n_up, n_all, group["lr"], bottom)) for group in opt.param_groups]
        self.step()

    def step(self):
        for group, rates in self.rates:
            group["lr"] = next(rates)
