"""Some vertices without the others."""

import torch

from facerecon.head import HeadModel
from facerecon.reconstruction.vertex_basis import VertexBasis


def test_they_lie_where_the_whole_head_has_them():
    head = HeadModel.from_pretrained()
    used = torch.nonzero(head.masks["lips"])[:, 0]
    identity, expression = torch.randn(3, 40, generator=torch.Generator().manual_seed(0)), torch.zeros(3, 52)
    expression[:, head.expression_labels.index("mouthSmileLeft")] = torch.tensor([0.0, 0.5, 1.0])
    weights = head.encode_demographics(torch.tensor([4.0, 30.0, 80.0]), torch.tensor([0.0, 0.5, 1.0]), torch.eye(3))
    found = VertexBasis(head, used).points(identity, expression, weights)
    whole = head.vertices(torch.cat((identity, torch.zeros(3, len(head.identity_labels) - 40)), 1), expression, weights)
    assert (found - whole[:, used]).abs().max() < 1e-6


def test_it_stays_exact_in_a_network_of_another_type_and_is_not_stored_with_it():
    head = HeadModel.from_pretrained()
    network = torch.nn.Sequential(VertexBasis(head, torch.arange(5)), torch.nn.Linear(2, 2)).to(torch.bfloat16)
    assert network[1].weight.dtype == torch.bfloat16 and network[0].template.dtype == torch.float32
    assert torch.equal(network[0].template, head.template.unflatten(0, (-1, 3))[:5])
    assert list(network.state_dict()) == ["1.weight", "1.bias"]
    assert network.to("meta")[0].template.device.type == "meta"
